package httpapi

import (
	"time"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/usecase/assignments"
	"github.com/bulkheadhq/bulkhead/core/usecase/auth"
	"github.com/bulkheadhq/bulkhead/core/usecase/tokens"
	"github.com/bulkheadhq/bulkhead/core/user"
)

// optional returns a value as the contract has it when it may be absent: the
// core's zero value is nil.
func optional[T comparable](v T) *T {
	var zero T
	if v == zero {
		return nil
	}
	return &v
}

// orZero is the way back.
func orZero[T any](v *T) T {
	if v == nil {
		var zero T
		return zero
	}
	return *v
}

// each converts a list. The contract has no null lists, so an empty one is not nil.
func each[From, To any](in []From, convert func(From) To) []To {
	out := make([]To, 0, len(in))
	for _, v := range in {
		out = append(out, convert(v))
	}
	return out
}

// toUser shows a user with the tag of their version.
func (h *handlers) toUser(u user.User) gen.User {
	s := u.Snapshot()
	return gen.User{
		ID: s.ID.String(), OrganizationID: s.OrgID.String(), Kind: gen.UserKind(s.Kind.String()), Email: optional(s.Email), Name: s.Name,
		Role: s.Role.String(), RoleID: optional(s.Role.ID().String()), State: gen.UserState(s.State.String()), Reason: optional(s.Reason),
		Etag: h.etag(s.OrgID, s.ID.String(), s.Version), CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt,
	}
}

// toAPIKeys converts keys as they stand now, with the tags of their versions.
func (h *handlers) toAPIKeys() func(apikey.Key) gen.APIKey {
	now := h.Clock.Now()
	return func(k apikey.Key) gen.APIKey {
		s := k.Snapshot()
		return gen.APIKey{
			ID: s.ID.String(), OrganizationID: s.OrgID.String(), UserID: optional(s.UserID.String()),
			Name: s.Name, Description: optional(s.Description), Scopes: s.Scopes.Names(), AllowedIPs: s.AllowedIPs.Strings(),
			Metadata: apiKeyMetadata(s.Metadata), Prefix: s.Hint, LastFour: s.LastFour, LastUsedAt: optional(s.LastUsedAt),
			OldSecret: toOldSecret(s, now), Limits: showKeyLimits(s.Limits), State: gen.APIKeyState(s.State.String()), ExpiresAt: optional(s.ExpiresAt),
			ExpiresSoon: k.ExpiresSoon(now), RevokedAt: optional(s.RevokedAt), Etag: h.apiKeyTag(k), CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt,
		}
	}
}

func apiKeyMetadata(m apikey.Metadata) *map[string]string {
	if len(m) == 0 {
		return nil
	}
	return (*map[string]string)(&m)
}

// toOldSecret shows the secret before the last rotation. When the key itself has ended,
// so has it.
func toOldSecret(k apikey.Snapshot, now time.Time) *gen.OldSecret {
	p, ended := k.Old, k.State == apikey.Revoked || !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt)
	if !p.Exists() {
		return nil
	}
	return &gen.OldSecret{
		Prefix: p.Hint, LastFour: p.LastFour, Live: p.Live(now) && !ended, UntilSeen: p.UntilSeen,
		ExpiresAt: optional(p.ExpiresAt), LastUsedAt: optional(p.LastUsedAt),
	}
}

func toVerification(v auth.Verification) gen.Verification {
	out := gen.Verification{Valid: v.Code == apikey.Valid, Code: gen.VerificationCode(v.Code.String())}
	if a := v.Actor; a.Kind() != authz.Nobody {
		permissions := a.Permissions().Names()
		out.Actor = &gen.VerifiedActor{
			Kind: gen.VerifiedActorKind(a.Kind().String()), UserID: optional(a.User().String()), APIKeyID: a.Key().String(), Role: a.Role().String(),
		}
		out.Organization = &gen.OrganizationRef{ID: a.Org().String(), Slug: a.OrgSlug()}
		out.Permissions, out.ExpiresAt = &permissions, optional(a.ExpiresAt())
	}
	if v.Limits != nil {
		left := each(v.Limits, toLimitLeft)
		out.Limits = &left
	}
	return out
}

func toOperation(o operation.Operation) gen.Operation {
	s := o.Snapshot()
	return gen.Operation{
		ID: s.ID.String(), OrganizationID: s.OrgID.String(), Kind: s.Kind.String(),
		State: gen.OperationState(s.State.String()), Step: optional(s.Step.String()),
		Attempts: int32(min(s.Attempts, maxAttempts)), Failure: optional(s.Failure), FailureCode: optional(s.FailureCode), //nolint:gosec // bounded just here
		Note: optional(s.Note), Retry: optional(retryPath(o)), RetryOf: optional(s.RetryOf.String()),
		CreatedAt: s.CreatedAt, UpdatedAt: s.UpdatedAt, FinishedAt: optional(s.FinishedAt),
	}
}

// maxAttempts is the contract's.
const maxAttempts = 1_000_000_000

func toToken(t tokens.Token, temporalAddress string) gen.Token {
	return gen.Token{
		Token: t.JWT, TokenType: gen.Bearer, ExpiresAt: t.ExpiresAt, Namespace: t.Namespace,
		Access: gen.TokenAccess(t.Access.String()), TemporalAddress: temporalAddress,
	}
}

func toAssignment(a assignments.Assignment) gen.Assignment {
	return gen.Assignment{
		Organization: gen.OrganizationRef{ID: a.Org.String(), Slug: a.OrgSlug}, Namespace: a.Namespace,
		State:      gen.AssignmentState(a.State.String()),
		TaskQueues: append([]string{}, a.TaskQueues...),
	}
}
