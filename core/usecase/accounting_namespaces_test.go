package usecase_test

import (
	"context"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
)

var _ = alsoAccount(map[string]accounted{
	"namespaces.Get": {oneOrganization, authz.OrganizationsRead, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.namespaces.Get(ctx, by, o)
		return err
	}},
	"namespaces.Reconcile": {oneOrganization, authz.OrganizationsUpdate, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.namespaces.Reconcile(ctx, by, o)
		return err
	}},
	"namespaces.Examine": {oneOrganization, authz.OrganizationsUpdate, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.namespaces.Examine(ctx, by, o, nil)
		return err
	}},
})
