package revocation

import (
	"context"
	"crypto/rand"

	"github.com/bulkheadhq/bulkhead/sdk"
)

// power is what every target may do, and is about to lose.
const power = "organizations:read"

// kind is a way in which a key loses it.
type kind struct {
	name    string
	share   int // of a hundred
	ownOrg  bool
	ownRole bool
	change  func(ctx context.Context, w *world, api *sdk.Client, x target) error
}

// kinds are what operators and tenants do, by an API process, and what other
// processes write: those look the same to the nodes that must learn of it.
var kinds = []kind{
	{name: "revoke", share: 76, change: func(ctx context.Context, _ *world, api *sdk.Client, x target) error {
		_, err := api.RevokeAPIKey(ctx, x.org.String(), x.key.String())
		return err
	}},
	{name: "disable", share: 3, change: func(ctx context.Context, _ *world, api *sdk.Client, x target) error {
		_, err := api.DisableAPIKey(ctx, x.org.String(), x.key.String())
		return err
	}},
	{name: "suspend user", share: 3, change: func(ctx context.Context, _ *world, api *sdk.Client, x target) error {
		_, err := api.SuspendUser(ctx, x.org.String(), x.user.String(), "test")
		return err
	}},
	{name: "suspend organization", share: 3, ownOrg: true, change: func(ctx context.Context, _ *world, api *sdk.Client, x target) error {
		_, err := api.SuspendOrganization(ctx, x.org.String(), "test")
		return err
	}},
	{name: "rotate without grace", share: 3, change: func(ctx context.Context, w *world, _ *sdk.Client, x target) error {
		fresh := make([]byte, len(x.hash.Hash))
		if _, err := rand.Read(fresh); err != nil {
			return err
		}
		return w.exec(ctx, `UPDATE api_keys SET old_hint = hint, old_last_four = last_four, old_pepper_version = pepper_version, old_hash = hash,
			old_expires_at = now(), hash = $3, generation = generation + 1 WHERE org_id = $1 AND id = $2`, x.org.UUID(), x.key.UUID(), fresh)
	}},
	{name: "replace secret", share: 2, change: func(ctx context.Context, w *world, _ *sdk.Client, x target) error {
		fresh := make([]byte, len(x.hash.Hash))
		if _, err := rand.Read(fresh); err != nil {
			return err
		}
		return w.exec(ctx, `UPDATE api_keys SET hash = $3 WHERE org_id = $1 AND id = $2`, x.org.UUID(), x.key.UUID(), fresh)
	}},
	{name: "end", share: 2, change: func(ctx context.Context, w *world, _ *sdk.Client, x target) error {
		return w.exec(ctx, `UPDATE api_keys SET expires_at = now() WHERE org_id = $1 AND id = $2`, x.org.UUID(), x.key.UUID())
	}},
	{name: "narrow scopes", share: 2, change: func(ctx context.Context, w *world, _ *sdk.Client, x target) error {
		return w.exec(ctx, `UPDATE api_keys SET scopes = '{users:read}' WHERE org_id = $1 AND id = $2`, x.org.UUID(), x.key.UUID())
	}},
	{name: "narrow addresses", share: 2, change: func(ctx context.Context, w *world, _ *sdk.Client, x target) error {
		return w.exec(ctx, `UPDATE api_keys SET allowed_ips = '{192.0.2.0/24}' WHERE org_id = $1 AND id = $2`, x.org.UUID(), x.key.UUID())
	}},
	{name: "narrow the role", share: 2, ownRole: true, change: func(ctx context.Context, w *world, _ *sdk.Client, x target) error {
		return w.exec(ctx, `UPDATE roles SET permissions = '{users:read}' WHERE org_id = $1 AND id = $2`, x.org.UUID(), x.role.UUID())
	}},
	{name: "take the role", share: 2, ownRole: true, change: func(ctx context.Context, w *world, _ *sdk.Client, x target) error {
		return w.exec(ctx, `WITH other AS (INSERT INTO roles (org_id, id, name, permissions, created_at, updated_at)
				VALUES ($1, gen_random_uuid(), gen_random_uuid()::text, '{users:read}', now(), now()) RETURNING id)
			UPDATE users SET role_id = other.id FROM other WHERE org_id = $1 AND users.id = $2`, x.org.UUID(), x.user.UUID())
	}},
}

// mixed returns n kinds by their shares, well mixed.
func mixed(n int) []kind {
	var hundred []kind
	for _, k := range kinds {
		for range k.share {
			hundred = append(hundred, k)
		}
	}
	out := make([]kind, n)
	for i := range out {
		out[i] = hundred[i*37%len(hundred)] // 37 and 100 have no common divisor: each comes once in a hundred
	}
	return out
}
