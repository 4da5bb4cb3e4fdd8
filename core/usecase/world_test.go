// Package usecase_test tests what the use cases decide themselves: who is let in,
// in which order ports are called, and what is left behind after a failure. They
// work on a real database and sign with real keys, behind spies that note each
// call, fail those they are told to and run each transaction twice. Temporal,
// which is tested elsewhere, is recorded.
package usecase_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/adapters/postgres"
	signer "github.com/bulkheadhq/bulkhead/adapters/signing"
	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/limit"
	"github.com/bulkheadhq/bulkhead/core/namespace"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/outbox"
	"github.com/bulkheadhq/bulkhead/core/signing"
	"github.com/bulkheadhq/bulkhead/core/usecase/apikeys"
	"github.com/bulkheadhq/bulkhead/core/usecase/assignments"
	"github.com/bulkheadhq/bulkhead/core/usecase/auth"
	"github.com/bulkheadhq/bulkhead/core/usecase/bootstrap"
	"github.com/bulkheadhq/bulkhead/core/usecase/deletion"
	"github.com/bulkheadhq/bulkhead/core/usecase/dispatches"
	"github.com/bulkheadhq/bulkhead/core/usecase/holds"
	"github.com/bulkheadhq/bulkhead/core/usecase/keywatch"
	"github.com/bulkheadhq/bulkhead/core/usecase/leaks"
	"github.com/bulkheadhq/bulkhead/core/usecase/limits"
	"github.com/bulkheadhq/bulkhead/core/usecase/metering"
	"github.com/bulkheadhq/bulkhead/core/usecase/namespaces"
	"github.com/bulkheadhq/bulkhead/core/usecase/operations"
	"github.com/bulkheadhq/bulkhead/core/usecase/orgs"
	"github.com/bulkheadhq/bulkhead/core/usecase/provisioning"
	"github.com/bulkheadhq/bulkhead/core/usecase/refusals"
	"github.com/bulkheadhq/bulkhead/core/usecase/relay"
	"github.com/bulkheadhq/bulkhead/core/usecase/retention"
	"github.com/bulkheadhq/bulkhead/core/usecase/roles"
	"github.com/bulkheadhq/bulkhead/core/usecase/schedules"
	"github.com/bulkheadhq/bulkhead/core/usecase/tokens"
	"github.com/bulkheadhq/bulkhead/core/usecase/trail"
	"github.com/bulkheadhq/bulkhead/core/usecase/users"
	"github.com/bulkheadhq/bulkhead/core/usecase/workflows"
	"github.com/bulkheadhq/bulkhead/core/user"
	"github.com/bulkheadhq/bulkhead/ports"
)

// world is everything outside the use cases: a database of its own, the clock,
// and Temporal.
type world struct {
	t        *testing.T
	database *database
	unseen   unseen
	clock    *clock
	log      *bytes.Buffer
	standard limit.Standard // the zero one, unless a test sets another before newServices

	*spy
	store       store
	platform    platform
	trails      trails
	credentials *credentials
	feed        feed
	members     members
	uses        keyUses
	census      keyCensus
	hours       usageHours
	passes      passes
	meter       *meter
	buckets     *bucketStore
	keys        *keyring
	crypto      *crypto
	outbox      mailbox
	temporal    *temporal
}

// unseen are the adapters without spies, by which a test prepares and observes.
type unseen struct {
	store   *postgres.Store
	keys    *postgres.SigningKeys
	outbox  *postgres.Outbox
	feed    *postgres.CredentialFeed
	members *postgres.WorkerMembers
	crypto  *signer.Crypto
}

// services are all the use cases over one world.
type services struct {
	apikeys      *apikeys.Service
	assignments  *assignments.Service
	auth         *auth.Service
	bootstrap    *bootstrap.Service
	deletion     *deletion.Service
	dispatches   *dispatches.Service
	holds        *holds.Service
	keywatch     *keywatch.Service
	leaks        *leaks.Service
	limits       *limits.Service
	metering     *metering.Service
	namespaces   *namespaces.Service
	watch        *namespaces.Watch
	operations   *operations.Service
	orgs         *orgs.Service
	provisioning *provisioning.Service
	refusals     *refusals.Service
	relay        *relay.Service
	retention    *retention.Service
	schedules    *schedules.Service
	roles        *roles.Service
	tokens       *tokens.Service
	trail        *trail.Service
	users        *users.Service
	workflows    *workflows.Service
}

var signingPolicy = signing.Policy{Rotate: 24 * time.Hour, Publish: 15 * time.Minute, Retire: time.Hour}

func newWorld(t *testing.T) *world {
	t.Helper()
	database := takeDatabase(t)
	db := database.db
	adapters := unseen{
		store: postgres.NewStore(db), keys: postgres.NewSigningKeys(db), outbox: postgres.NewOutbox(db), crypto: newCrypto(t),
		feed: postgres.NewCredentialFeed(db), members: postgres.NewWorkerMembers(db),
	}
	t.Cleanup(func() {
		_ = adapters.outbox.Close(context.Background())
		_ = adapters.feed.Close(context.Background())
		_ = adapters.members.Close(context.Background())
	})
	s := newSpy(t)
	return &world{
		t: t, database: database, unseen: adapters, log: &bytes.Buffer{},
		clock: &clock{now: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)},

		spy: s, store: store{s, adapters.store}, platform: platform{s, postgres.NewPlatform(db)},
		trails:      trails{s, postgres.NewTrail(db)},
		credentials: &credentials{spy: s, real: postgres.NewCredentials(db)}, feed: feed{s, adapters.feed}, members: members{s, adapters.members},
		uses: keyUses{s, postgres.NewKeyUses(db)}, census: keyCensus{s, postgres.NewKeyCensus(db)}, meter: &meter{}, hours: usageHours{s, postgres.NewUsageHours(db)},
		passes:  passes{s, postgres.NewNamespacePasses(db)},
		buckets: newBucketStore(s),
		keys:    &keyring{spy: s, real: adapters.keys}, crypto: &crypto{spy: s, real: adapters.crypto},
		outbox: mailbox{s, adapters.outbox}, temporal: &temporal{spy: s},
	}
}

func newServices(w *world) services {
	w.t.Helper()
	log := slog.New(slog.NewTextHandler(w.log, nil))
	limiter := limits.New(w.store, limits.Stores{Buckets: w.buckets, Spare: w.buckets.spare}, w.standard, w.clock, w.meter, log)
	ledger := dispatches.New(w.store, ledgers{w.spy, postgres.NewDispatches(w.database.db)}, w.temporal, w.clock, log)
	return services{
		apikeys:     apikeys.New(w.store, limiter, limit.Standard{}, w.clock, peppers(w.t), random),
		assignments: assignments.New(w.store, w.platform, w.members),
		auth: auth.New(auth.Deps{
			Credentials: w.credentials, Feed: w.feed, Uses: w.uses, Store: w.store, Clock: w.clock, Watch: w.clock, Peppers: peppers(w.t), Limiter: limiter,
			Meter: w.meter, CacheMeter: w.meter, Log: log, Settings: auth.Settings{CacheKeys: 1000},
		}),
		limits:       limiter,
		keywatch:     keywatch.New(w.census, w.store, w.clock, w.meter, log),
		leaks:        leaks.New(w.credentials, w.store, w.clock, peppers(w.t), w.meter),
		bootstrap:    bootstrap.New(w.store, w.clock, peppers(w.t), random),
		metering:     metering.New(w.hours, w.store, w.clock, log),
		namespaces:   namespaces.New(w.store, w.platform, w.temporal, w.temporal, scheduler{w.temporal}, namespace.Standard{}, w.clock),
		watch:        w.newWatch(namespaces.Policy{Every: time.Hour}),
		operations:   operations.New(w.store, w.platform, w.clock),
		deletion:     deletion.New(w.store, w.temporal, scheduler{w.temporal}, w.temporal, w.clock),
		holds:        holds.New(w.store, scheduler{w.temporal}, w.clock, log),
		orgs:         orgs.New(w.store, w.platform, w.temporal, w.clock),
		provisioning: provisioning.New(w.store, w.temporal, w.clock, namespace.Standard{}),
		refusals:     refusals.New(w.store, w.clock, log),
		retention:    retention.New(w.store, w.platform, w.clock, log),
		relay:        relay.New(w.outbox, w.store, w.temporal, w.clock, log),
		schedules:    schedules.New(w.store, scheduler{w.temporal}, w.temporal, limiter, limit.Standard{}, w.clock),
		tokens:       tokens.New(w.store, w.keys, w.crypto, w.clock, signingPolicy),
		trail:        trail.New(w.trails),
		users:        users.New(w.store, w.trails, limiter, limit.Standard{}, w.clock),
		roles:        roles.New(w.store, limiter, w.clock),
		dispatches:   ledger,
		workflows:    workflows.New(w.store, w.temporal, batcher{w.temporal}, ledger, limiter, limit.Standard{}, w.clock),
	}
}

// clock is moved by hand.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

// Elapsed makes it a stopwatch as well.
func (c *clock) Elapsed() time.Duration { return time.Duration(c.Now().UnixNano()) }

func (c *clock) advance(d time.Duration) { c.set(c.Now().Add(d)) }

func (c *clock) set(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = now
}

// write changes the database by the real writers, unseen.
func (w *world) write(o id.Org, fn func(ctx context.Context, tx ports.Tx) error) {
	w.t.Helper()
	must(w.t, w.unseen.store.WriteTx(w.t.Context(), o, fn))
}

func (w *world) addOrg(slug string, s org.State) id.Org {
	w.t.Helper()
	i := id.New[id.OrgKind]()
	w.insertOrg(org.Restore(org.Snapshot{
		ID: i, Slug: slug, Name: slug, State: s, Namespace: "org-" + slug + "-" + i.Tail(8), Version: 1,
		ActivatedAt: activated(s, w.clock.Now()), CreatedAt: w.clock.Now(), UpdatedAt: w.clock.Now(),
	}))
	return i
}

// activated is when an organization in the state had become active.
func activated(s org.State, at time.Time) time.Time {
	if s == org.Provisioning || s == org.Failed {
		return time.Time{}
	}
	return at
}

// addSystem stores the system organization.
func (w *world) addSystem() {
	w.t.Helper()
	w.insertOrg(org.NewSystem(w.clock.Now()))
}

func (w *world) insertOrg(o org.Org) {
	w.t.Helper()
	w.write(o.ID(), func(ctx context.Context, tx ports.Tx) error { return tx.Orgs.Insert(ctx, o) })
}

func (w *world) addUser(o id.Org, r authz.Role, s user.State) id.User {
	w.t.Helper()
	i := id.New[id.UserKind]()
	u := user.Restore(user.Snapshot{
		ID: i, OrgID: o, Kind: user.Person, Role: r, State: s, Version: 1, Email: i.String() + "@example.com", Name: "Ada",
		CreatedAt: w.clock.Now(), UpdatedAt: w.clock.Now(),
	})
	w.write(o, func(ctx context.Context, tx ports.Tx) error { return tx.Users.Insert(ctx, u) })
	return i
}

func (w *world) addKey(s apikey.Snapshot) {
	w.t.Helper()
	w.write(s.OrgID, func(ctx context.Context, tx ports.Tx) error { return tx.APIKeys.Insert(ctx, apikey.Restore(s)) })
}

// addOperation stores an operation that is yet to begin.
func (w *world) addOperation(o id.Org) id.Operation {
	w.t.Helper()
	op := operation.New(id.New[id.OperationKind](), o, operation.ProvisionOrganization, w.clock.Now())
	w.write(o, func(ctx context.Context, tx ports.Tx) error { return tx.Operations.Insert(ctx, op) })
	return op.Snapshot().ID
}

// addMessage leaves a message for the relay.
func (w *world) addMessage(m outbox.Message) {
	w.t.Helper()
	w.write(m.OrgID, func(ctx context.Context, tx ports.Tx) error { return tx.Outbox.Append(ctx, m) })
}

// changeOrg changes a stored organization, past its rules.
func (w *world) changeOrg(o id.Org, change func(*org.Snapshot)) {
	w.t.Helper()
	w.write(o, func(ctx context.Context, tx ports.Tx) error {
		return tx.Orgs.Update(ctx, func(row *org.Org) error {
			s := row.Snapshot()
			change(&s)
			*row = org.Restore(s)
			return nil
		})
	})
}

func (w *world) setState(o id.Org, to org.State) {
	w.t.Helper()
	w.changeOrg(o, func(s *org.Snapshot) { s.State = to })
}

// orgOf and its like return what is stored.
func (w *world) orgOf(o id.Org) org.Org {
	w.t.Helper()
	return stored(w.t, w.unseen.store.Reads(o).Org)
}

func (w *world) namespaceOf(o id.Org) string {
	w.t.Helper()
	row := w.orgOf(o)
	return row.Namespace()
}

func (w *world) stateOf(o id.Org) org.State {
	w.t.Helper()
	row := w.orgOf(o)
	return row.State()
}

func (w *world) userOf(o id.Org, u id.User) user.User {
	w.t.Helper()
	return stored(w.t, func(ctx context.Context) (user.User, error) { return w.unseen.store.Reads(o).User(ctx, u) })
}

func (w *world) keyOf(o id.Org, k id.APIKey) apikey.Key {
	w.t.Helper()
	return stored(w.t, func(ctx context.Context) (apikey.Key, error) { return w.unseen.store.Reads(o).APIKey(ctx, k) })
}

func (w *world) operationOf(o id.Org, op id.Operation) operation.Operation {
	w.t.Helper()
	return stored(w.t, func(ctx context.Context) (operation.Operation, error) {
		return w.unseen.store.Reads(o).Operation(ctx, op)
	})
}

func stored[T any](t *testing.T, read func(context.Context) (T, error)) T {
	t.Helper()
	v, err := read(t.Context())
	must(t, err)
	return v
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func peppers(t *testing.T) apikey.Peppers {
	t.Helper()
	p, err := apikey.NewPeppers(map[int16][]byte{1: bytes.Repeat([]byte{1}, 32), 2: bytes.Repeat([]byte{2}, 32)})
	must(t, err)
	return p
}

func newCrypto(t *testing.T) *signer.Crypto {
	t.Helper()
	c, err := signer.New(signer.Config{EncryptionKeys: map[int16][]byte{1: bytes.Repeat([]byte{3}, 32)}, Audience: "temporal"})
	must(t, err)
	return c
}

var random = rand.Reader
