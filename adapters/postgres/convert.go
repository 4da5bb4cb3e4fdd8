package postgres

import (
	"encoding/json"
	"fmt"
	"net/netip"
	"time"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/adapters/postgres/internal/dbsqlc"
	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/core/role"
	"github.com/bulkheadhq/bulkhead/core/signing"
	"github.com/bulkheadhq/bulkhead/core/user"
)

// What is read is checked for its shape and never against the rules of
// creation. A word that is unknown here, left by a newer version perhaps, is an
// error and not a guess: a scope that was dropped quietly could leave a key
// without scopes, and that has all of its owner's power.

// stored is a time as the database keeps it: in UTC, in whole microseconds.
func stored(t time.Time) time.Time { return t.UTC().Truncate(time.Microsecond) }

// storedOrNull is NULL for the zero time.
func storedOrNull(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = stored(t)
	return &t
}

// read is a time from the database, which pgx gives in the local time zone.
func read(t time.Time) time.Time { return t.UTC() }

func readOrZero(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return read(*t)
}

// textOrNull is NULL for the empty text.
func textOrNull(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}

func textOrEmpty(s *string) string {
	if s == nil {
		return ""
	}
	return *s
}

// nullable is NULL for the zero identifier.
func nullable[K id.Kind](i id.ID[K]) uuid.NullUUID {
	return uuid.NullUUID{UUID: i.UUID(), Valid: !i.IsZero()}
}

func unknown(what, word string) error { return fmt.Errorf("stored %s %q is not known", what, word) }

func toOrg(r *dbsqlc.Organization) (org.Org, error) {
	state, ok := org.ParseState(r.State)
	if !ok {
		return org.Org{}, unknown("organization state", r.State)
	}
	s := org.Snapshot{
		ID: id.FromUUID[id.OrgKind](r.ID), Slug: r.Slug, Name: r.Name, State: state, StateReason: r.StateReason,
		Namespace: r.Namespace, NamespaceAdopted: r.NamespaceAdopted, DeletionProtected: r.DeletionProtected, WorkerPool: r.WorkerPool,
		ActivatedAt: readOrZero(r.ActivatedAt), DeleteAfter: readOrZero(r.DeleteAfter),
		LimitsVersion: r.LimitsVersion, Version: r.Version, CreatedAt: read(r.CreatedAt), UpdatedAt: read(r.UpdatedAt),
	}
	if err := json.Unmarshal(r.Settings, &s.Settings); err != nil {
		return org.Org{}, fmt.Errorf("stored settings: %w", err)
	}
	if err := json.Unmarshal(r.Metadata, &s.Metadata); err != nil {
		return org.Org{}, fmt.Errorf("stored metadata: %w", err)
	}
	if len(s.Metadata) == 0 {
		s.Metadata = nil
	}
	var err error
	if s.Limits, err = toLimits(r.Limits); err != nil {
		return org.Org{}, err
	}
	return org.Restore(s), nil
}

func fromOrg(s org.Snapshot) (*dbsqlc.OrgInsertParams, error) {
	settings, err := json.Marshal(s.Settings)
	if err != nil {
		return nil, fmt.Errorf("encode settings: %w", err)
	}
	metadata, err := encodeMetadata(s.Metadata)
	if err != nil {
		return nil, err
	}
	limits, err := fromLimits(s.Limits)
	if err != nil {
		return nil, err
	}
	return &dbsqlc.OrgInsertParams{
		OrgID: s.ID.UUID(), Slug: s.Slug, Name: s.Name, State: s.State.String(), StateReason: s.StateReason,
		Namespace: s.Namespace, NamespaceAdopted: s.NamespaceAdopted, Metadata: metadata, Settings: settings, DeletionProtected: s.DeletionProtected, WorkerPool: s.WorkerPool,
		ActivatedAt: storedOrNull(s.ActivatedAt), DeleteAfter: storedOrNull(s.DeleteAfter),
		Limits: limits, LimitsVersion: s.LimitsVersion, Version: s.Version, CreatedAt: stored(s.CreatedAt), UpdatedAt: stored(s.UpdatedAt),
	}, nil
}

func toLimits(b []byte) (limit.Set, error) {
	if string(b) == "{}" { // as nearly all of them are
		return nil, nil
	}
	var s limit.Set
	if err := json.Unmarshal(b, &s); err != nil {
		return nil, fmt.Errorf("stored limits: %w", err)
	}
	return s, nil
}

func fromLimits(s limit.Set) ([]byte, error) {
	b, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("encode limits: %w", err)
	}
	return b, nil
}

func encodeMetadata(m org.Metadata) ([]byte, error) {
	if m == nil {
		m = org.Metadata{} // an object, and not null
	}
	b, err := json.Marshal(m)
	if err != nil {
		return nil, fmt.Errorf("encode metadata: %w", err)
	}
	return b, nil
}

// toRoleOf reads the role that a user's row names: a built-in one by its name, or
// a custom one, whose own row stands beside it.
func toRoleOf(name string, i uuid.NullUUID, customName *string, permissions []string) (authz.Role, error) {
	if !i.Valid {
		role, err := authz.ParseRole(name)
		if err != nil {
			return authz.Role{}, unknown("role", name)
		}
		return role, nil
	}
	if customName == nil {
		return authz.Role{}, unknown("role", i.UUID.String())
	}
	s, err := authz.ParseSet(permissions)
	if err != nil {
		return authz.Role{}, fmt.Errorf("stored permissions: %w", err)
	}
	return authz.NewCustomRole(id.FromUUID[id.RoleKind](i.UUID), *customName, s), nil
}

// customRole is what a user's row has in the place of a built-in role's name.
const customRole = "custom"

func fromRoleOf(r authz.Role) (name string, i uuid.NullUUID) {
	if r.IsCustom() {
		return customRole, nullable(r.ID())
	}
	return r.String(), uuid.NullUUID{}
}

func toRole(r *dbsqlc.Role) (role.Role, error) {
	s, err := authz.ParseSet(r.Permissions)
	if err != nil {
		return role.Role{}, fmt.Errorf("stored permissions: %w", err)
	}
	return role.Restore(role.Snapshot{
		ID: id.FromUUID[id.RoleKind](r.ID), OrgID: id.FromUUID[id.OrgKind](r.OrgID), Name: r.Name, Description: r.Description,
		Permissions: s, Version: r.Version, CreatedAt: read(r.CreatedAt), UpdatedAt: read(r.UpdatedAt),
	}), nil
}

func fromRole(s role.Snapshot) *dbsqlc.RoleInsertParams {
	return &dbsqlc.RoleInsertParams{
		OrgID: s.OrgID.UUID(), ID: s.ID.UUID(), Name: s.Name, Description: s.Description, Permissions: s.Permissions.Names(),
		Version: s.Version, CreatedAt: stored(s.CreatedAt), UpdatedAt: stored(s.UpdatedAt),
	}
}

// toUser reads a user with the custom role that they may have.
func toUser(r *dbsqlc.User, roleName *string, permissions []string) (user.User, error) {
	role, err := toRoleOf(r.Role, r.RoleID, roleName, permissions)
	if err != nil {
		return user.User{}, err
	}
	state, ok := user.ParseState(r.State)
	if !ok {
		return user.User{}, unknown("user state", r.State)
	}
	kind, ok := user.ParseKind(r.Kind)
	if !ok {
		return user.User{}, unknown("user kind", r.Kind)
	}
	return user.Restore(user.Snapshot{
		ID: id.FromUUID[id.UserKind](r.ID), OrgID: id.FromUUID[id.OrgKind](r.OrgID), Kind: kind, Email: textOrEmpty(r.Email), Name: r.Name,
		Role: role, State: state, Reason: r.StateReason, Version: r.Version, CreatedAt: read(r.CreatedAt), UpdatedAt: read(r.UpdatedAt),
	}), nil
}

func fromUser(s user.Snapshot) *dbsqlc.UserInsertParams {
	role, roleID := fromRoleOf(s.Role)
	return &dbsqlc.UserInsertParams{
		OrgID: s.OrgID.UUID(), ID: s.ID.UUID(), Kind: s.Kind.String(), Email: textOrNull(s.Email), Name: s.Name, Role: role, RoleID: roleID,
		State: s.State.String(), StateReason: s.Reason, Version: s.Version, CreatedAt: stored(s.CreatedAt), UpdatedAt: stored(s.UpdatedAt),
	}
}

// toAPIKey reads a key with when its secrets were last used.
func toAPIKey(r *dbsqlc.APIKey, lastUsed, oldLastUsed *time.Time) (apikey.Key, error) {
	state, ok := apikey.ParseState(r.State)
	if !ok {
		return apikey.Key{}, unknown("API key state", r.State)
	}
	scopes, err := authz.ParseSet(r.Scopes)
	if err != nil {
		return apikey.Key{}, fmt.Errorf("stored scopes: %w", err)
	}
	hash, err := toHash(r.PepperVersion, r.Hash)
	if err != nil {
		return apikey.Key{}, err
	}
	old, err := toPrevious(r, oldLastUsed)
	if err != nil {
		return apikey.Key{}, err
	}
	var metadata apikey.Metadata
	if err := json.Unmarshal(r.Metadata, &metadata); err != nil {
		return apikey.Key{}, fmt.Errorf("stored metadata: %w", err)
	}
	if len(metadata) == 0 {
		metadata = nil
	}
	limits, err := toLimits(r.Limits)
	if err != nil {
		return apikey.Key{}, err
	}
	return apikey.Restore(apikey.Snapshot{
		ID: id.FromUUID[id.APIKeyKind](r.ID), OrgID: id.FromUUID[id.OrgKind](r.OrgID),
		UserID: id.FromUUID[id.UserKind](r.UserID.UUID), Name: r.Name, Description: r.Description, Scopes: scopes,
		AllowedIPs: toIPList(r.AllowedIps), Metadata: metadata, Limits: limits,
		Hint: r.Hint, LastFour: r.LastFour, Hash: hash, LastUsedAt: readOrZero(lastUsed), Generation: r.Generation, Old: old,
		State: state, ExpiresAt: readOrZero(r.ExpiresAt), WarnAt: readOrZero(r.WarnAt), RevokedAt: readOrZero(r.RevokedAt),
		Version: r.Version, CreatedAt: read(r.CreatedAt), UpdatedAt: read(r.UpdatedAt),
	}), nil
}

func toPrevious(r *dbsqlc.APIKey, lastUsed *time.Time) (apikey.Previous, error) {
	if r.OldHint == nil || r.OldLastFour == nil || r.OldPepperVersion == nil {
		return apikey.Previous{}, nil
	}
	hash, err := toHash(*r.OldPepperVersion, r.OldHash)
	return apikey.Previous{
		Hint: *r.OldHint, LastFour: *r.OldLastFour, Hash: hash, LastUsedAt: readOrZero(lastUsed),
		ExpiresAt: readOrZero(r.OldExpiresAt), UntilSeen: r.OldUntilSeen,
	}, err
}

func toIPList(in []netip.Prefix) apikey.IPList {
	if len(in) == 0 {
		return nil
	}
	return in
}

// getAPIKey and its like read a key with what stands beside it.
func getAPIKey(r *dbsqlc.APIKeyGetRow) (apikey.Key, error) {
	return toAPIKey(&r.APIKey, r.LastUsedAt, r.OldLastUsedAt)
}

func listedAPIKey(r *dbsqlc.APIKeyListRow) (apikey.Key, error) {
	return toAPIKey(&r.APIKey, r.LastUsedAt, r.OldLastUsedAt)
}

func lockedAPIKey(r *dbsqlc.APIKeyLockRow) (apikey.Key, error) {
	return toAPIKey(&r.APIKey, r.LastUsedAt, r.OldLastUsedAt)
}

func fromAPIKey(s apikey.Snapshot) (*dbsqlc.APIKeyInsertParams, error) {
	metadata := []byte("{}")
	if len(s.Metadata) > 0 {
		var err error
		if metadata, err = json.Marshal(s.Metadata); err != nil {
			return nil, fmt.Errorf("encode metadata: %w", err)
		}
	}
	limits, err := fromLimits(s.Limits)
	if err != nil {
		return nil, err
	}
	p := &dbsqlc.APIKeyInsertParams{
		OrgID: s.OrgID.UUID(), ID: s.ID.UUID(), UserID: nullable(s.UserID), Name: s.Name, Description: s.Description,
		Scopes: s.Scopes.Names(), AllowedIps: append([]netip.Prefix{}, s.AllowedIPs...), Metadata: metadata, Limits: limits,
		Hint: s.Hint, LastFour: s.LastFour, PepperVersion: s.Hash.Version, Hash: s.Hash.Hash[:],
		Generation: s.Generation, State: s.State.String(),
		ExpiresAt: storedOrNull(s.ExpiresAt), WarnAt: storedOrNull(s.WarnAt), RevokedAt: storedOrNull(s.RevokedAt),
		Version: s.Version, CreatedAt: stored(s.CreatedAt), UpdatedAt: stored(s.UpdatedAt),
	}
	if old := s.Old; old.Exists() {
		p.OldHint, p.OldLastFour, p.OldPepperVersion, p.OldHash = &old.Hint, &old.LastFour, &old.Hash.Version, old.Hash.Hash[:]
		p.OldExpiresAt, p.OldUntilSeen = storedOrNull(old.ExpiresAt), old.UntilSeen
	}
	return p, nil
}

func toHash(version int16, b []byte) (apikey.Versioned, error) {
	v := apikey.Versioned{Version: version}
	if copy(v.Hash[:], b) != len(v.Hash) || len(b) != len(v.Hash) {
		return apikey.Versioned{}, fmt.Errorf("stored hash has %d bytes", len(b))
	}
	return v, nil
}

func toCredential(r *dbsqlc.CredentialFindRow) (apikey.Credential, error) {
	state, ok := apikey.ParseState(r.State)
	if !ok {
		return apikey.Credential{}, unknown("API key state", r.State)
	}
	scopes, err := authz.ParseSet(r.Scopes)
	if err != nil {
		return apikey.Credential{}, fmt.Errorf("stored scopes: %w", err)
	}
	hash, err := toHash(r.PepperVersion, r.Hash)
	if err != nil {
		return apikey.Credential{}, err
	}
	var role authz.Role
	if r.UserRole != nil {
		if role, err = toRoleOf(*r.UserRole, r.RoleID, r.RoleName, r.RolePermissions); err != nil {
			return apikey.Credential{}, err
		}
	}
	orgState, ok := org.ParseState(r.OrgState)
	if !ok {
		return apikey.Credential{}, unknown("organization state", r.OrgState)
	}
	orgLimits, err := toLimits(r.OrgLimits)
	if err != nil {
		return apikey.Credential{}, err
	}
	keyLimits, err := toLimits(r.Limits)
	if err != nil {
		return apikey.Credential{}, err
	}
	return apikey.Credential{
		Key: id.FromUUID[id.APIKeyKind](r.ID), Org: id.FromUUID[id.OrgKind](r.OrgID), OrgSlug: r.OrgSlug,
		OrgActive: orgState.KeysWork(),
		User:      id.FromUUID[id.UserKind](r.UserID.UUID), UserRole: role,
		UserOK: !r.UserID.Valid || (r.UserState != nil && *r.UserState == user.Active.String()),
		Scopes: scopes, Hash: hash, State: state, ExpiresAt: readOrZero(r.ExpiresAt),
		AllowedIPs: toIPList(r.AllowedIps), Generation: r.Generation, OrgLimits: orgLimits, KeyLimits: keyLimits,
		Old: r.IsOld, Rotated: r.IsRotating, OldExpiresAt: readOrZero(r.OldExpiresAt), OldUntilSeen: r.OldUntilSeen,
	}, nil
}

func toOperation(r *dbsqlc.Operation) (operation.Operation, error) {
	kind, ok := operation.ParseKind(r.Kind)
	if !ok {
		return operation.Operation{}, unknown("operation kind", r.Kind)
	}
	state, ok := operation.ParseState(r.State)
	if !ok {
		return operation.Operation{}, unknown("operation state", r.State)
	}
	return operation.Restore(operation.Snapshot{
		ID: id.FromUUID[id.OperationKind](r.ID), OrgID: id.FromUUID[id.OrgKind](r.OrgID), Kind: kind, State: state,
		Step: operation.ParseStep(r.Step), Attempts: int(r.Attempts), Failure: r.Failure, FailureCode: r.FailureCode,
		RetryOf: id.FromUUID[id.OperationKind](r.RetryOf.UUID), Note: r.Note,
		CreatedAt: read(r.CreatedAt), UpdatedAt: read(r.UpdatedAt), FinishedAt: readOrZero(r.FinishedAt),
	}), nil
}

// kindNames returns what kinds of operations are stored as.
func kindNames(kinds []operation.Kind) []string {
	out := make([]string, len(kinds))
	for i, k := range kinds {
		out[i] = k.String()
	}
	return out
}

func fromOperation(s operation.Snapshot) *dbsqlc.OperationInsertParams {
	return &dbsqlc.OperationInsertParams{
		OrgID: s.OrgID.UUID(), ID: s.ID.UUID(), Kind: s.Kind.String(), State: s.State.String(), Step: s.Step.String(),
		Attempts: count(s.Attempts), Failure: s.Failure, FailureCode: s.FailureCode, RetryOf: nullable(s.RetryOf), Note: s.Note,
		CreatedAt: stored(s.CreatedAt), UpdatedAt: stored(s.UpdatedAt), FinishedAt: storedOrNull(s.FinishedAt),
	}
}

func fromMessage(m outbox.Message) *dbsqlc.OutboxInsertParams {
	return &dbsqlc.OutboxInsertParams{
		OrgID: m.OrgID.UUID(), ID: m.ID.UUID(), Kind: string(m.Kind), Payload: m.Payload,
		CreatedAt: stored(m.CreatedAt), AvailableAt: stored(m.DueAt()), Attempts: count(m.Attempts),
	}
}

func toMessage(r *dbsqlc.OutboxClaimRow) outbox.Message {
	return outbox.Message{
		ID: id.FromUUID[id.MessageKind](r.ID), OrgID: id.FromUUID[id.OrgKind](r.OrgID), Kind: outbox.Kind(r.Kind),
		Payload: r.Payload, CreatedAt: read(r.CreatedAt), Attempts: int(r.Attempts),
	}
}

func toSigningKey(r *dbsqlc.SigningKey) (signing.Key, error) {
	state, ok := signing.ParseState(r.State)
	if !ok {
		return signing.Key{}, unknown("signing key state", r.State)
	}
	return signing.Key{
		ID: r.ID, PublicDER: r.PublicDER, Sealed: r.Sealed, SealedBy: r.SealedBy, State: state,
		CreatedAt: read(r.CreatedAt), ChangedAt: read(r.ChangedAt),
	}, nil
}

func fromSigningKey(k signing.Key) *dbsqlc.SigningKeyUpsertParams {
	return &dbsqlc.SigningKeyUpsertParams{
		ID: k.ID, PublicDER: k.PublicDER, Sealed: k.Sealed, SealedBy: k.SealedBy, State: k.State.String(),
		CreatedAt: stored(k.CreatedAt), ChangedAt: stored(k.ChangedAt),
	}
}

// maxCount is where the count of attempts stops. It fits the column, and no
// count that people look at gets there.
const maxCount = 1 << 30

func count(n int) int32 { return int32(min(max(n, 0), maxCount)) }

// each converts rows.
func each[R, T any](rows []*R, convert func(*R) (T, error)) ([]T, error) {
	out := make([]T, 0, len(rows))
	for _, r := range rows {
		v, err := convert(r)
		if err != nil {
			return nil, err
		}
		out = append(out, v)
	}
	return out, nil
}
