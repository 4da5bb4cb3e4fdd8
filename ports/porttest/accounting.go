package porttest

import (
	"context"
	"errors"
	"reflect"
	"slices"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/schedule"
	"github.com/bulkheadhq/bulkhead/core/usage"
	"github.com/bulkheadhq/bulkhead/core/user"
	"github.com/bulkheadhq/bulkhead/core/workflow"
	"github.com/bulkheadhq/bulkhead/ports"
)

// ofScope are the methods that are asked about nothing but the organization of
// their scope, so that no argument could be foreign. Their isolation is what the
// named test shows.
var ofScope = map[string]string{
	"Reads.Org":   "answer with its own organization for each scope",
	"Orgs.Lock":   "answer with its own organization for each scope",
	"Orgs.Counts": "count the users who were not removed, the keys that were not revoked, and the schedules that are known",
	"Orgs.Update": "change no organization but the transaction's",
	"Audit.Purge": "purge nothing of another organization",
	"Orgs.Purge":  "remove everything but the tombstone, its trail and the deletion, and nothing of another's",
}

// acrossOrganizations says why a method is no tenant's.
var acrossOrganizations = map[string]string{
	"Platform.Org":        "operators are shown any organization",
	"Platform.OrgBySlug":  "a slug is resolved before its organization is known",
	"Platform.Orgs":       "operators list organizations",
	"Platform.ActiveOrgs": "the platform's workers serve all organizations",
	"Platform.Operation":  "operators are shown any operation",
}

// elsewhere says which test isolates a port that has no scope.
var elsewhere = map[string]string{ //nolint:gosec // names of ports
	"Credentials": "finds whom a secret belongs to; its role reads a few columns",
	"Feed":        "names of keys and of organizations; its role reads a few columns",
	"KeyUses":     "the suite of KeyUses",
	"KeyCensus":   "counts, and names of keys; its role reads a few columns",
	"UsageHours":  "the suite of UsageHours",
	"Members":     "processes, each of which serves many organizations",
	"Passes":      "how far one pass over all organizations is",
	"Outbox":      "the relay's side: it works for all",
	"SigningKeys": "belong to no organization",
	"Idempotency": "the suite of Idempotency",
	"Audit":       "the suite of Trail",
	"Dispatches":  "the suite of Dispatches",
}

// storeAccounting calls every method of a scope and of a transaction with what
// belongs to another organization. A method that is added is called, too: what
// can not be called, or does not find it in its own organization either, fails.
func storeAccounting(t *testing.T, b Backend) {
	s := newScene(t, b)
	for m := range reflect.TypeFor[ports.Reads]().Methods() {
		name := "Reads." + m.Name
		t.Run("Should show nothing of another organization: "+name, func(t *testing.T) { s.read(t, name, m.Name) })
	}
	for field := range reflect.TypeFor[ports.Tx]().Fields() {
		for m := range field.Type.Methods() {
			name := field.Name + "." + m.Name
			t.Run("Should neither change nor store anything of another organization: "+name, func(t *testing.T) {
				s.write(t, name, field.Name, m.Name)
			})
		}
	}
	t.Run("Should say of every other method whose it is", func(t *testing.T) {
		for m := range reflect.TypeFor[ports.Platform]().Methods() {
			if acrossOrganizations["Platform."+m.Name] == "" {
				t.Errorf("Platform.%s reads across organizations: state in acrossOrganizations why", m.Name)
			}
		}
		for field := range reflect.TypeFor[Backend]().Fields() {
			known := field.Name == "Store" || field.Name == "Platform" || elsewhere[field.Name] != ""
			if field.Type.Kind() == reflect.Interface && !known {
				t.Errorf("%s is a port without a scope: state in elsewhere what isolates it", field.Name)
			}
		}
	})
	t.Run("Should answer with its own organization for each scope", func(t *testing.T) {
		for _, o := range []id.Org{s.intruder, s.victim} {
			got, err := b.Store.Reads(o).Org(t.Context())
			must(t, err)
			if got.ID() != o {
				t.Errorf("the scope of %s shows %s", o, got.ID())
			}
			must(t, b.Store.WriteTx(t.Context(), o, func(ctx context.Context, tx ports.Tx) (err error) {
				got, err = tx.Orgs.Lock(ctx)
				return err
			}))
			if got.ID() != o {
				t.Errorf("the transaction of %s locks %s", o, got.ID())
			}
		}
	})
}

// scene is an organization that has nothing, and one that has something of all.
type scene struct {
	b                Backend
	intruder, victim id.Org
	things           []any // of the victim's: identifiers, and what could be stored
}

func newScene(t *testing.T, b Backend) scene {
	t.Helper()
	victim := anOrg()
	o := victim.ID()
	u := aUser(o)
	k, op := aKey(o, u.ID()), anOperation(o)
	open := operation.New(id.New[id.OperationKind](), o, operation.ProvisionOrganization, moment)
	intruder := seed(t, b, anOrg())
	s := scene{b: b, intruder: intruder.ID(), victim: o}
	custom := aRole(o)
	planned := aSchedule(o)
	planned.ID = custom.Snapshot().Name // one name for all that has one
	planned.Holds.Suspension = planned.Request
	asked := aDispatch(o)
	asked.Request = planned.Request
	seed(t, b, victim, u, custom, k, op, open, planned, asked)
	asked.Outcome, asked.DecidedAt = workflow.DispatchRefused, moment
	must(t, b.UsageHours.Add(t.Context(), aBatch(map[usage.Slot]usage.Counts{{Org: o, Key: keyID(k), Hour: 1}: {Requests: 1}})))
	s.things = []any{
		[]operation.Kind{operation.ProvisionOrganization},
		u.ID(),
		[]id.User{u.ID()},
		u.Role(), custom.Snapshot().ID, custom.Snapshot().Name, keyID(k), op.Snapshot().ID, op.Snapshot().Kind,
		planned.Request,
		[]string{planned.ID},
		asked,
		[]workflow.Dispatch{asked},
		anOrg(), aUser(o), aSchedule(o),
		[]schedule.Row{aSchedule(o)},
		[]user.User{u},
		aRole(o), aKey(o, u.ID()), anOperation(o), aMessage(t, o, moment),
		audit.Accepted(o, moment, authz.Bootstrap, audit.UserCreated, "user", "x", nil),
		page.Request{Limit: 10},
	}
	return s
}

// answer is what a method returned.
type answer struct {
	value  reflect.Value // the first result; invalid when there is only an error
	err    error
	called bool // the function it was given
}

// nothing tells whether an answer shows nothing and did nothing.
func (a answer) nothing() bool {
	if a.called {
		return false
	}
	if a.err != nil {
		return true
	}
	if !a.value.IsValid() {
		return false // it succeeded, with what is another's
	}
	v := a.value
	if v.Kind() == reflect.Struct {
		if items := v.FieldByName("Items"); items.IsValid() {
			v = items
		}
	}
	if v.Kind() == reflect.Slice || v.Kind() == reflect.Map {
		return v.Len() == 0
	}
	return v.IsZero()
}

// read calls a read in the intruder's scope, and in the victim's as the control.
func (s scene) read(t *testing.T, name, method string) {
	t.Helper()
	if ofScope[name] != "" {
		return
	}
	foreign := s.call(t.Context(), t, reflect.ValueOf(s.b.Store.Reads(s.intruder)), method)
	s.judge(t, foreign, s.call(t.Context(), t, reflect.ValueOf(s.b.Store.Reads(s.victim)), method))
	if foreign.err != nil {
		isNotFound(t, foreign.err)
	}
}

var errTakenBack = errors.New("taken back")

// write calls a writer in the intruder's transaction, and in the victim's as the
// control, which is taken back.
func (s scene) write(t *testing.T, name, writer, method string) {
	t.Helper()
	if ofScope[name] != "" {
		return
	}
	in := func(o id.Org) (got answer) {
		err := s.b.Store.WriteTx(t.Context(), o, func(ctx context.Context, tx ports.Tx) error {
			got = s.call(ctx, t, reflect.ValueOf(tx).FieldByName(writer), method)
			return errTakenBack
		})
		if !errors.Is(err, errTakenBack) {
			t.Errorf("the transaction failed by itself: %v", err)
		}
		return got
	}
	foreign := in(s.intruder)
	if name == "Orgs.Insert" { // no organization is anybody's before it is there
		if !foreign.nothing() {
			t.Error("an organization was stored by another's transaction")
		}
		return
	}
	s.judge(t, foreign, in(s.victim))
}

func (s scene) judge(t *testing.T, foreign, own answer) {
	t.Helper()
	if !foreign.nothing() {
		t.Errorf("it worked on another organization's: %+v", foreign)
	}
	if own.nothing() {
		t.Errorf("it does not work on one's own either, so that nothing is shown: %+v", own)
	}
}

// call calls a method with the victim's things.
func (s scene) call(ctx context.Context, t *testing.T, on reflect.Value, method string) (got answer) {
	t.Helper()
	m := on.MethodByName(method)
	args := []reflect.Value{reflect.ValueOf(ctx)}
	for i := 1; i < m.Type().NumIn(); i++ {
		args = append(args, s.argument(t, m.Type().In(i), &got.called))
	}
	results := m.Call(args)
	last := len(results) - 1
	got.err, _ = reflect.TypeAssert[error](results[last])
	if last > 0 {
		got.value = results[0]
	}
	return got
}

// argument chooses what a parameter of the type is given.
func (s scene) argument(t *testing.T, typ reflect.Type, called *bool) reflect.Value {
	t.Helper()
	if typ.Kind() == reflect.Func {
		return reflect.MakeFunc(typ, func([]reflect.Value) []reflect.Value {
			*called = true
			out := make([]reflect.Value, typ.NumOut())
			for i := range out {
				out[i] = reflect.Zero(typ.Out(i))
			}
			return out
		})
	}
	if i := slices.IndexFunc(s.things, func(thing any) bool { return reflect.TypeOf(thing) == typ }); i >= 0 {
		return reflect.ValueOf(s.things[i])
	}
	switch {
	case typ == reflect.TypeFor[time.Time]():
		return reflect.ValueOf(moment)
	case typ.Kind() == reflect.Int:
		return reflect.ValueOf(1000).Convert(typ)
	case typ.Kind() == reflect.Struct && typ.Name() == "Filter":
		return reflect.Zero(typ) // of all
	}
	t.Errorf("teach the scene what a %v of the victim's is", typ)
	return reflect.Zero(typ)
}
