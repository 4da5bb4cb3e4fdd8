package apikey_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/authz"
)

func TestJudge(t *testing.T) {
	t.Parallel()
	here, elsewhere := netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("198.51.100.7")
	list := apikey.IPList{netip.MustParsePrefix("192.0.2.0/24"), netip.MustParsePrefix("2001:db8::/32")}
	good := apikey.Credential{State: apikey.Active, OrgActive: true, UserOK: true, ExpiresAt: t1}
	power := authz.SetOf(authz.UsersRead, authz.WorkflowsRead)

	for name, c := range map[string]struct {
		change func(*apikey.Credential, *apikey.Presented)
		want   apikey.Code
	}{
		"all is well":                  {func(*apikey.Credential, *apikey.Presented) {}, apikey.Valid},
		"it never expires":             {func(c *apikey.Credential, _ *apikey.Presented) { c.ExpiresAt = time.Time{} }, apikey.Valid},
		"it expires in a moment":       {func(c *apikey.Credential, _ *apikey.Presented) { c.ExpiresAt = t0.Add(1) }, apikey.Valid},
		"it expires now":               {func(c *apikey.Credential, _ *apikey.Presented) { c.ExpiresAt = t0 }, apikey.Expired},
		"it has expired":               {func(c *apikey.Credential, _ *apikey.Presented) { c.ExpiresAt = t0.Add(-1) }, apikey.Expired},
		"it is disabled":               {func(c *apikey.Credential, _ *apikey.Presented) { c.State = apikey.Disabled }, apikey.IsDisabled},
		"it is revoked":                {func(c *apikey.Credential, _ *apikey.Presented) { c.State = apikey.Revoked }, apikey.IsRevoked},
		"it has no state":              {func(c *apikey.Credential, _ *apikey.Presented) { c.State = apikey.State{} }, apikey.IsDisabled},
		"its organization is barred":   {func(c *apikey.Credential, _ *apikey.Presented) { c.OrgActive = false }, apikey.OrganizationSuspended},
		"its user is barred":           {func(c *apikey.Credential, _ *apikey.Presented) { c.UserOK = false }, apikey.UserSuspended},
		"there is nothing":             {func(c *apikey.Credential, _ *apikey.Presented) { *c = apikey.Credential{} }, apikey.IsDisabled},
		"it is allowed from here":      {func(c *apikey.Credential, _ *apikey.Presented) { c.AllowedIPs = list }, apikey.Valid},
		"it is not allowed from there": {func(c *apikey.Credential, p *apikey.Presented) { c.AllowedIPs, p.IP = list, elsewhere }, apikey.IPNotAllowed},
		"nobody knows from where":      {func(c *apikey.Credential, p *apikey.Presented) { c.AllowedIPs, p.IP = list, netip.Addr{} }, apikey.IPNotAllowed},
		"nobody cares from where":      {func(_ *apikey.Credential, p *apikey.Presented) { p.IP = netip.Addr{} }, apikey.Valid},
		"from here, written as IPv6": {func(c *apikey.Credential, p *apikey.Presented) {
			c.AllowedIPs, p.IP = list, netip.MustParseAddr("::ffff:192.0.2.7")
		}, apikey.Valid},
		"from an IPv6 network's zone": {func(c *apikey.Credential, p *apikey.Presented) {
			c.AllowedIPs, p.IP = list, netip.MustParseAddr("2001:db8::1%eth0")
		}, apikey.Valid},
		"it may do what is asked for":  {func(_ *apikey.Credential, p *apikey.Presented) { p.Needs = power }, apikey.Valid},
		"it may do but a part":         {func(_ *apikey.Credential, p *apikey.Presented) { p.Needs = power | authz.SetOf(authz.UsersCreate) }, apikey.Forbidden},
		"its old secret lives":         {func(c *apikey.Credential, _ *apikey.Presented) { c.Old, c.OldExpiresAt = true, t0.Add(1) }, apikey.Valid},
		"its old secret lives on":      {func(c *apikey.Credential, _ *apikey.Presented) { c.Old, c.OldUntilSeen = true, true }, apikey.Valid},
		"its old secret ends now":      {func(c *apikey.Credential, _ *apikey.Presented) { c.Old, c.OldExpiresAt = true, t0 }, apikey.Expired},
		"its new secret outlives that": {func(c *apikey.Credential, _ *apikey.Presented) { c.Rotated, c.OldExpiresAt = true, t0 }, apikey.Valid},
		"what can not be undone counts": {func(c *apikey.Credential, p *apikey.Presented) {
			*c = apikey.Credential{State: apikey.Revoked, ExpiresAt: t0, AllowedIPs: list}
			p.IP, p.Needs = elsewhere, authz.SetOf(authz.UsersCreate)
		}, apikey.IsRevoked},
		"expiry counts before the rest": {func(c *apikey.Credential, p *apikey.Presented) {
			*c = apikey.Credential{State: apikey.Disabled, ExpiresAt: t0, AllowedIPs: list}
			p.IP = elsewhere
		}, apikey.Expired},
		"the organization before the user": {func(c *apikey.Credential, _ *apikey.Presented) { c.OrgActive, c.UserOK = false, false }, apikey.OrganizationSuspended},
		"the user before the address":      {func(c *apikey.Credential, p *apikey.Presented) { c.UserOK, c.AllowedIPs, p.IP = false, list, elsewhere }, apikey.UserSuspended},
		"the address before the power": {func(c *apikey.Credential, p *apikey.Presented) {
			c.AllowedIPs, p.IP, p.Needs = list, elsewhere, authz.SetOf(authz.UsersCreate)
		}, apikey.IPNotAllowed},
	} {
		t.Run("Should judge when "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			cred, presented := good, apikey.Presented{Now: t0, IP: here, Power: power}
			c.change(&cred, &presented)
			is.Equal(apikey.Judge(cred, presented), c.want)
		})
	}

	t.Run("Should tell when the old secret ends with the use of the new one", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		rotated := apikey.Credential{Rotated: true, OldUntilSeen: true}
		is.True(rotated.EndsOld(t0))
		for _, change := range []func(*apikey.Credential){
			func(c *apikey.Credential) { c.Old = true }, // this is the old one
			func(c *apikey.Credential) { c.Rotated = false },
			func(c *apikey.Credential) { c.OldUntilSeen = false },
			func(c *apikey.Credential) { c.OldExpiresAt = t0 },
		} {
			c := rotated
			change(&c)
			is.True(!c.EndsOld(t0))
		}
		rotated.OldExpiresAt = t0.Add(1)
		is.True(rotated.EndsOld(t0))
	})
}
