package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/postgres"
	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/ports"
	"github.com/bulkheadhq/bulkhead/test/harness"
)

// far is a deadline that only a failing test reaches.
const far = 20 * time.Second

func TestOpen(t *testing.T) {
	t.Parallel()

	t.Run("Should refuse what is no URL without quoting it", func(t *testing.T) {
		is := is.New(t)
		good := "postgres://bulkhead_app:hunter2@localhost/bulkhead"
		for _, bad := range []string{"", "postgres://u:hunter2@host:port/db", "postgres://u:hunter2@[::1/db", "host=x password=hunter2 port=y", "mysql:hunter2"} {
			for _, cfg := range []postgres.Config{{URL: bad, AuthURL: good}, {URL: good, AuthURL: bad}} {
				_, err := postgres.Open(t.Context(), cfg)
				is.True(err != nil)
				is.True(!strings.Contains(err.Error(), "hunter2"))
			}
			_, err := postgres.NewMigrator(bad)
			is.True(err != nil)
			is.True(!strings.Contains(err.Error(), "hunter2"))
		}
	})
}

func TestDatabaseAway(t *testing.T) {
	t.Parallel()
	d := harness.Postgres(t).Database(t)
	p := newProxy(t, parseURL(t, d.AppURL).Host)
	through := func(raw string) string {
		u := parseURL(t, raw)
		u.Host = p.address
		return u.String()
	}
	db := openConfig(t, postgres.Config{URL: through(d.AppURL), AuthURL: through(d.AuthURL)})
	b := backend(t, d, db)
	o := id.New[id.OrgKind]()
	// calls ask everything there is to ask.
	calls := map[string]func(ctx context.Context) error{
		"read": func(ctx context.Context) error { _, err := b.Store.Reads(o).Org(ctx); return err },
		"write": func(ctx context.Context) error {
			return b.Store.WriteTx(ctx, o, func(context.Context, ports.Tx) error { return nil })
		},
		"platform":    func(ctx context.Context) error { _, err := b.Platform.ActiveOrgs(ctx); return err },
		"credentials": func(ctx context.Context) error { _, err := b.Credentials.Find(ctx, []apikey.Versioned{{}}); return err },
		"feed":        func(ctx context.Context) error { _, _, err := b.Feed.Since(ctx, ""); return err },
		"claim":       func(ctx context.Context) error { _, err := b.Outbox.Claim(ctx, time.Now(), 1, time.Minute); return err },
		"keys":        func(ctx context.Context) error { _, err := b.SigningKeys.List(ctx); return err },
		"ping":        db.Ping,
		"check":       db.CheckServer,
	}
	all := func(t *testing.T, want *fault.Error) {
		t.Helper()
		for name, call := range calls {
			ctx, cancel := context.WithTimeout(t.Context(), far)
			if want == fault.ErrTimeout {
				ctx, cancel = context.WithTimeout(t.Context(), 100*time.Millisecond)
			}
			if err := call(ctx); !errors.Is(err, want) {
				t.Errorf("%s: want %v, got %v", name, want.Code, err)
			} else if want == fault.ErrUnavailable && fault.From(err).RetryAfter != time.Second {
				t.Errorf("%s: no advice when to come back: %v", name, err)
			}
			cancel()
		}
	}

	t.Run("Should start, and be unavailable", func(t *testing.T) { all(t, fault.ErrUnavailable) })

	t.Run("Should time out when nothing answers", func(t *testing.T) {
		p.up(true)
		all(t, fault.ErrTimeout)
		p.down()
	})

	t.Run("Should work when the database comes", func(t *testing.T) {
		is := is.New(t)
		p.up(false)
		is.NoErr(db.Ping(t.Context()))
		is.NoErr(db.CheckServer(t.Context()))
		_, err := b.Credentials.Find(t.Context(), []apikey.Versioned{{}})
		is.True(errors.Is(err, fault.ErrNotFound))
	})

	t.Run("Should be unavailable when it goes, in the middle of a transaction too", func(t *testing.T) {
		is := is.New(t)
		err := b.Store.WriteTx(t.Context(), o, func(ctx context.Context, tx ports.Tx) error {
			p.down()
			_, err := tx.Users.Lock(ctx, id.New[id.UserKind]())
			return err
		})
		is.True(errors.Is(err, fault.ErrUnavailable))
		all(t, fault.ErrUnavailable)
	})

	t.Run("Should wait for messages meanwhile, and notice when it is back", func(t *testing.T) {
		is := is.New(t)
		is.NoErr(b.Outbox.Wait(t.Context(), 10*time.Millisecond))
		woken := make(chan error, 1)
		ctx, cancel := context.WithTimeout(t.Context(), far)
		defer cancel()
		go func() { woken <- b.Outbox.Wait(ctx, 2*far) }()
		p.up(false)
		is.NoErr(<-woken)
		is.NoErr(db.Ping(t.Context()))
	})
}

func TestPools(t *testing.T) {
	t.Parallel()
	d := harness.Postgres(t).Database(t)

	t.Run("Should keep authenticating while all other connections are busy", func(t *testing.T) {
		is := is.New(t)
		db := openConfig(t, postgres.Config{URL: d.AppURL, AuthURL: d.AuthURL, MaxConns: 1, AuthMaxConns: 1})
		b := backend(t, d, db)
		o := id.New[id.OrgKind]()
		is.NoErr(b.Store.WriteTx(t.Context(), o, func(ctx context.Context, _ ports.Tx) error {
			hurried, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
			defer cancel()
			_, err := b.Store.Reads(o).Org(hurried)
			is.True(errors.Is(err, fault.ErrTimeout))
			_, err = b.Credentials.Find(ctx, []apikey.Versioned{{}})
			is.True(errors.Is(err, fault.ErrNotFound))
			return nil
		}))
	})

	t.Run("Should end a statement that takes too long with a timeout", func(t *testing.T) {
		is := is.New(t)
		db := openConfig(t, postgres.Config{URL: withParameter(t, d.AppURL, "statement_timeout", "50"), AuthURL: d.AuthURL})
		_, err := postgres.Reading(db, id.New[id.OrgKind]()).Exec(t.Context(), "SELECT pg_sleep(60)")
		is.True(errors.Is(err, fault.ErrTimeout))
	})
}

func TestCheckServer(t *testing.T) {
	t.Parallel()
	d := harness.Postgres(t).Database(t)
	run(t, connect(t, d.AdminURL), `DO $$ BEGIN
			CREATE ROLE check_bypass LOGIN BYPASSRLS PASSWORD 'test-password';
			CREATE ROLE check_member LOGIN NOINHERIT PASSWORD 'test-password' IN ROLE bulkhead_owner;
			CREATE ROLE check_super LOGIN NOINHERIT PASSWORD 'test-password' IN ROLE postgres;
		EXCEPTION WHEN duplicate_object THEN NULL; END $$`,
		"GRANT CONNECT ON DATABASE "+d.Name+" TO check_bypass, check_member, check_super")

	t.Run("Should accept the roles that Init makes", func(t *testing.T) {
		is := is.New(t)
		is.NoErr(openDB(t, d).CheckServer(t.Context()))
	})

	for name, c := range map[string]struct{ url, complaint string }{
		"a superuser":               {d.AdminURL, "is a superuser"},
		"who can become one":        {asUser(t, d.AppURL, "check_super"), "is a superuser"},
		"a role with BYPASSRLS":     {asUser(t, d.AppURL, "check_bypass"), "has BYPASSRLS"},
		"the backup's role":         {d.DumpURL, "has BYPASSRLS"},
		"the owner of the tables":   {d.OwnerURL, "owns tables"},
		"who can become that owner": {asUser(t, d.AppURL, "check_member"), "owns tables"},
	} {
		t.Run("Should refuse "+name, func(t *testing.T) {
			is := is.New(t)
			for _, cfg := range []postgres.Config{{URL: c.url, AuthURL: d.AuthURL}, {URL: d.AppURL, AuthURL: c.url}} {
				err := openConfig(t, cfg).CheckServer(t.Context())
				is.True(err != nil)
				is.True(strings.Contains(err.Error(), c.complaint))
			}
		})
	}
}

// TestListenerKilled breaks the connection that wakes the relay, again and again.
func TestListenerKilled(t *testing.T) {
	t.Parallel()
	d := harness.Postgres(t).Database(t)
	b := backend(t, d, openDB(t, d))
	outbox, ok := b.Outbox.(*postgres.Outbox)
	if !ok {
		t.Fatal("not our outbox")
	}
	admin := connect(t, d.AdminURL)
	ctx, cancel := context.WithTimeout(t.Context(), far)
	defer cancel()

	t.Run("Should look for messages whenever the connection was made again", func(t *testing.T) {
		is := is.New(t)
		is.NoErr(outbox.Wait(ctx, far))
		for range 5 {
			run(t, admin, terminate(postgres.OutboxPID(outbox)))
			is.NoErr(outbox.Wait(ctx, 2*far)) // what came meanwhile nobody was told of
		}
	})

	t.Run("Should notice while it waits", func(t *testing.T) {
		is := is.New(t)
		woken := make(chan error, 1)
		pid := postgres.OutboxPID(outbox)
		go func() { woken <- outbox.Wait(ctx, 2*far) }()
		run(t, admin, terminate(pid))
		is.NoErr(<-woken)
	})

	t.Run("Should hold one connection, across many waits", func(t *testing.T) {
		is := is.New(t)
		pid := postgres.OutboxPID(outbox)
		for range 5 {
			is.NoErr(outbox.Wait(ctx, time.Millisecond))
		}
		is.Equal(postgres.OutboxPID(outbox), pid)
		is.NoErr(outbox.Close(ctx))
		is.NoErr(outbox.Close(ctx)) // twice without harm
	})
}

// terminate ends a server's process and waits until it is gone.
func terminate(pid uint32) string { return fmt.Sprintf("SELECT pg_terminate_backend(%d, 5000)", pid) }
