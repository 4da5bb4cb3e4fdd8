package outbox_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/outbox"
)

func TestNewProvision(t *testing.T) {
	t.Parallel()
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)

	t.Run("Should carry identifiers that read back", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		want := outbox.ProvisionPayload{Organization: id.New[id.OrgKind](), Operation: id.New[id.OperationKind]()}
		m, err := outbox.NewProvision(want.Organization, want.Operation, now)
		is.NoErr(err)
		is.True(!m.ID.IsZero())
		is.Equal(m.OrgID, want.Organization)
		is.Equal(m.CreatedAt, now)
		is.Equal(m.Attempts, 0)
		var got outbox.ProvisionPayload
		is.NoErr(json.Unmarshal(m.Payload, &got))
		is.Equal(got, want)
	})

	t.Run("Should keep the form of its kind for ever", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		is.Equal(outbox.ProvisionOrganization, outbox.Kind("org.provision.v1"))
		op := id.FromUUID[id.OperationKind](id.SystemOrg.UUID())
		m, err := outbox.NewProvision(id.SystemOrg, op, now)
		is.NoErr(err)
		is.Equal(string(m.Payload), `{"organization":"org_0000000000e008000000000001","operation":"op_0000000000e008000000000001"}`)
	})

	t.Run("Should refuse a payload whose identifiers are of other kinds", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		var p outbox.ProvisionPayload
		is.True(json.Unmarshal([]byte(`{"organization":"op_0000000000e008000000000001"}`), &p) != nil)
		is.True(p.Organization.IsZero())
	})
}
