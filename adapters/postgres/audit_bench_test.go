package postgres_test

import (
	"context"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/adapters/postgres"
	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/ports"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

// BenchmarkAuditAppend measures a transaction that does nothing but append to the
// trail: alone, together with others of the same organization, which take turns,
// and together with others of other organizations, which do not.
func BenchmarkAuditAppend(b *testing.B) {
	d := harness.Postgres(b).Database(b)
	db := openConfig(b, postgres.Config{URL: d.AppURL, AuthURL: d.AuthURL})
	store := postgres.NewStore(db)
	newOrg := func() id.Org {
		o := id.New[id.OrgKind]()
		s := o.Tail(20)
		err := store.WriteTx(b.Context(), o, func(ctx context.Context, tx ports.Tx) error {
			return tx.Orgs.Insert(ctx, org.Restore(org.Snapshot{
				ID: o, Slug: "acme-" + s, Name: "Acme", State: org.Active, Namespace: "org-" + s, Version: 1,
				CreatedAt: time.Now(), UpdatedAt: time.Now(),
			}))
		})
		if err != nil {
			b.Fatal(err)
		}
		return o
	}
	appendTo := func(o id.Org) error {
		return store.WriteTx(b.Context(), o, func(ctx context.Context, tx ports.Tx) error {
			return tx.Audit.Append(ctx, audit.Accepted(o, time.Now(), authz.Bootstrap, audit.UserCreated, "user", "usr_1",
				map[string]audit.Change{"email": audit.Created("ada@acme.example"), "role": audit.Created("member")}))
		})
	}
	b.Run("alone", func(b *testing.B) {
		o := newOrg()
		for b.Loop() {
			if err := appendTo(o); err != nil {
				b.Fatal(err)
			}
		}
	})
	for name, shared := range map[string]bool{"one organization, 8 writers": true, "8 organizations": false} {
		b.Run(name, func(b *testing.B) {
			common := newOrg()
			b.SetParallelism(4) // times two processors
			b.RunParallel(func(p *testing.PB) {
				o := common
				if !shared {
					o = newOrg()
				}
				for p.Next() {
					if err := appendTo(o); err != nil {
						b.Error(err)
						return
					}
				}
			})
		})
	}
}
