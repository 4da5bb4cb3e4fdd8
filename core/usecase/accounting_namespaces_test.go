package usecase_test

import (
	"context"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/page"
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
	"namespaces.Orphans": {wholePlatform, authz.OrganizationsList, func(s services, ctx context.Context, by authz.Actor, _ id.Org) error {
		_, err := s.namespaces.Orphans(ctx, by, page.TokenRequest{Limit: 1})
		return err
	}},
	"namespaces.DeleteOrphan": {wholePlatform, authz.OrganizationsDelete, func(s services, ctx context.Context, by authz.Actor, _ id.Org) error {
		return s.namespaces.DeleteOrphan(ctx, by, "org-lost", "org-lost")
	}},
	"namespaces.Examine": {oneOrganization, authz.OrganizationsUpdate, func(s services, ctx context.Context, by authz.Actor, o id.Org) error {
		_, err := s.namespaces.Examine(ctx, by, o, nil)
		return err
	}},
})
