package auth

import (
	"context"
	"errors"
	"net/netip"
	"strconv"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/limit"
)

// VerifyInput is a key that another service was shown.
type VerifyInput struct {
	Key         string
	Permissions []string   // what it is to be allowed to do; none: nothing in particular
	IP          netip.Addr // where that service saw it come from; invalid: it does not say
	Cost        int64      // what is taken of the limit of requests if it is valid; 0: nothing
}

// Verification is what a key is worth. Actor is the zero Actor when the code is
// apikey.NotFound.
type Verification struct {
	Code   apikey.Code
	Actor  authz.Actor
	Limits []limit.Standing // what is left of the limits of requests; none when that is not known
}

// Verify says what a key is worth that another service was shown. A tenant
// learns of its own organization's keys alone: another's are not found, as if
// they were no keys at all. It fails with fault.ErrForbidden and, for a
// permission that is none, apikey.ErrUnknownScope.
func (s *Service) Verify(ctx context.Context, by authz.Actor, in VerifyInput) (Verification, error) {
	if err := by.Require(authz.APIKeysVerify, by.Org()); err != nil {
		return Verification{}, err
	}
	needs, err := parsePermissions(in.Permissions)
	if err != nil {
		return Verification{}, err
	}
	secret, err := apikey.ParseSecret(in.Key)
	if err != nil {
		return Verification{Code: apikey.NotFound}, nil //nolint:nilerr // that is the verdict
	}
	f, err := s.find(ctx, secret, func() error { return nil }) // the caller has a limit of their own
	if err == nil && f.credential.Org != by.Org() && !by.IsPlatform() {
		err = fault.ErrNotFound
	}
	if fault.IsKind(err, fault.NotFound) {
		return Verification{Code: apikey.NotFound}, nil
	}
	if err != nil {
		return Verification{}, err
	}
	actor := f.credential.Actor()
	code := apikey.Judge(f.credential, apikey.Presented{Now: f.at, IP: in.IP, Power: actor.Permissions(), Needs: needs})
	if code != apikey.Valid {
		return Verification{Code: code, Actor: actor}, nil
	}
	s.notes.use(f, s.peppers)
	var c limit.Check
	err = s.limiter.Take(ctx, limit.Requests, f.credential.Holder(), in.Cost, &c)
	if errors.Is(err, limit.ErrRateExceeded) {
		code, err = apikey.RateLimited, nil
	}
	return Verification{Code: code, Actor: actor, Limits: c.Standings()}, err
}

func parsePermissions(names []string) (authz.Set, error) {
	set, err := authz.ParseSet(names)
	if unknown := (*authz.UnknownPermissionError)(nil); errors.As(err, &unknown) {
		return 0, apikey.ErrUnknownScope.WithFields(fault.Field{
			Pointer: "/permissions/" + strconv.Itoa(unknown.Index), Rule: "enum", Detail: unknown.Rule(),
		})
	}
	return set, err
}
