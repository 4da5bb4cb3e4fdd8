package isolation

import (
	"context"
	"encoding/base64"
	"fmt"
	"hash/fnv"
	"io"
	"math/rand/v2"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/bulkheadhq/bulkhead/core/authz"
)

// concurrency is how many requests are under way at a time.
const concurrency = 16

// mostFindings is how many findings of one operation are reported.
const mostFindings = 20

// finding is a rule that an answer broke.
type finding struct {
	oracle    string
	operation string
	attack    string
	detail    string
}

func (f finding) String() string {
	return fmt.Sprintf("%s\n  attack: %s\n  %.2000s", f.oracle, f.attack, strings.ReplaceAll(f.detail, "\n", "\n  "))
}

// run sends attacks and judges the answers.
type run struct {
	w       *world
	first   bool // stop at the first finding
	sampled int  // how many attacks of each family and operation; 0 is all

	mu        sync.Mutex
	findings  []finding
	cases     int
	succeeded map[string]bool // operations that succeeded at least once
	refusal   string          // the one answer to every credential that is refused
	stop      context.CancelFunc
}

// everything attacks all operations, reading ones first: what changes the
// attackers' own things comes after what looks at them.
func (r *run) everything(t testing.TB) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	r.stop, r.succeeded = stop, map[string]bool{}
	r.refusal = r.ask(ctx, t, &request{method: http.MethodGet, path: "/api/v0/auth/whoami"}, &credential{name: "nobody"}).plain()
	r.w.collect(ctx)
	operations := slices.Clone(contract())
	slices.SortStableFunc(operations, func(a, b *operation) int { return stage(a) - stage(b) })
	for _, o := range operations {
		if ctx.Err() != nil {
			return
		}
		r.operation(ctx, t, o)
	}
	r.metrics(ctx, t)
}

// stage orders operations by what their success does.
func stage(o *operation) int {
	switch {
	case o.reads():
		return 0
	case o.method == http.MethodPost && !strings.HasSuffix(o.path, "}") && len(o.subs()) == 0:
		return 1
	case o.method == http.MethodDelete:
		return 3
	}
	return 2
}

// operation sends all attacks on one operation, and looks at the victim after.
func (r *run) operation(ctx context.Context, t testing.TB, o *operation) {
	t.Helper()
	attacks := r.w.cases(o)
	if r.sampled > 0 {
		attacks = sample(o, attacks, r.sampled)
	}
	r.w.warm(ctx, o)
	r.w.database.settle(ctx, r.w.b.UUID)
	before, err := r.w.database.digest(ctx, r.w.b.UUID)
	if err != nil && ctx.Err() == nil {
		t.Fatal(err)
	}
	logged, started := len(r.w.api.Log()), time.Now()
	work := make(chan *attack)
	var all sync.WaitGroup
	for range concurrency {
		all.Go(func() {
			for a := range work {
				r.attack(ctx, a)
			}
		})
	}
	for _, a := range attacks {
		if ctx.Err() != nil {
			break
		}
		work <- a
	}
	close(work)
	all.Wait()
	r.cases += distinct(attacks)
	t.Logf("%-24s %6d attacks, %v", o.id, distinct(attacks), time.Since(started).Round(time.Millisecond))
	if ctx.Err() != nil {
		return
	}
	whole := &attack{family: "all attacks", op: o, by: &credential{name: "everybody"}}
	after, err := r.w.database.digest(ctx, r.w.b.UUID)
	if err != nil {
		t.Fatal(err)
	}
	if changed := differences(before, after); len(changed) > 0 {
		r.found(victimChanged, whole, "tables: "+strings.Join(changed, ", ")+"\nits trail ends with "+r.w.database.trail(ctx, r.w.b.UUID))
	}
	log := r.w.withoutVictim(r.w.api.Log()[logged:])
	for _, s := range r.w.hidden[r.w.system].in(log) {
		r.found(secretLogged, whole, s.what+" in: "+line(log, s.at))
	}
}

// warm lets the victim use the operation: what a cache or an idempotency key
// would give to the next one must be there to be given.
func (w *world) warm(ctx context.Context, o *operation) {
	send := w.plain(o, w.b, w.b)
	repeated := o.has("header", "Idempotency-Key")
	// What it may not do is told in its trail, a minute later: that is no change of an attacker's.
	admin := &attacker{may: authz.Admin.Permissions()}
	if (!o.reads() && !repeated) || seeded[o.id].Fatal || seeded[o.id].Platform || !admin.can(o) {
		return
	}
	if repeated {
		send.header["Idempotency-Key"] = []string{w.b.idemKey}
	}
	// Whether it works is no matter: that the operation does is shown elsewhere.
	_, _ = w.do(ctx, &send, &credential{name: "the victim", header: bearer(w.b.key)})
}

// withoutVictim leaves out the lines of the victim's own requests: those of warm
// may be written after it.
func (w *world) withoutVictim(log string) string {
	var b strings.Builder
	for l := range strings.Lines(log) {
		if !strings.Contains(l, `"organization_id":"`+w.b.ID+`"`) {
			b.WriteString(l)
		}
	}
	return b.String()
}

// line returns the line of a log around a place in it.
func line(log string, at int) string {
	from := strings.LastIndexByte(log[:at], '\n') + 1
	rest, _, _ := strings.Cut(log[from:], "\n")
	return rest
}

// ask sends a request that must be answered.
func (r *run) ask(ctx context.Context, t testing.TB, q *request, by *credential) answer {
	t.Helper()
	got, err := r.w.do(ctx, q, by)
	if err != nil {
		t.Fatalf("%s %s: %v", q.method, q.path, err)
	}
	return got
}

// attack sends one attack and judges its answer.
func (r *run) attack(ctx context.Context, a *attack) {
	if ctx.Err() != nil {
		return
	}
	got, err := r.w.do(ctx, &a.send, a.by)
	if err != nil {
		if ctx.Err() == nil {
			r.found(noAnswer, a, err.Error())
		}
		return
	}
	r.judge(a, &a.send, got)
	if a.refused != "" && got.succeeded() {
		r.found(a.refused, a, got.bytes())
	}
	platform := a.by.attacker != nil && a.by.attacker.platform
	if a.tells == got.status && !platform {
		r.found(foreignTold, a, got.bytes())
	}
	if a.unauthenticated && got.plain() != r.refusal {
		r.found(refusalTold, a, "want "+r.refusal+"\ngot  "+got.plain())
	}
	if a.twin == nil {
		return
	}
	second, err := r.w.do(ctx, a.twin, a.by)
	if err != nil {
		if ctx.Err() == nil {
			r.found(noAnswer, a, err.Error())
		}
		return
	}
	r.judge(a, a.twin, second)
	both := got.succeeded() && second.succeeded() && !a.same // one's own, twice
	if platform || both || got.plain() == second.plain() || r.changed(ctx, a, second) {
		return
	}
	r.found(foreignTold, a, "foreign "+got.plain()+"\nabsent  "+second.plain())
}

// changed tells whether what both requests of an attack name has changed between them:
// one's own things are attacked by others at the same time, and one of them may have
// deleted it. Then the first is answered as the second was by now. Only two that differ
// in nothing but their headers name the same thing: otherwise one of them names what is
// foreign, which no attacker changes.
func (r *run) changed(ctx context.Context, a *attack, second answer) bool {
	if a.send.path != a.twin.path || a.send.query != a.twin.query || a.send.body != a.twin.body {
		return false
	}
	again, err := r.w.do(ctx, &a.send, a.by)
	return err == nil && again.plain() == second.plain()
}

// judge looks at an answer by itself.
func (r *run) judge(a *attack, sent *request, got answer) {
	if got.status >= http.StatusInternalServerError || got.status == http.StatusTooManyRequests {
		r.found(serverFault, a, got.bytes())
	}
	if got.status < http.StatusMultipleChoices {
		r.mu.Lock()
		r.succeeded[a.op.id] = true
		r.mu.Unlock()
	}
	own, reach := r.w.a, false
	if by := a.by.attacker; by != nil {
		own, reach = by.own, slices.Contains(by.reach, a.op.id)
	}
	text := got.bytes()
	if got.succeeded() {
		text += unpacked(text)
	}
	for _, s := range r.w.hidden[own].in(text) {
		if sent.holds(s.text) || (reach && r.w.isName(s.text)) {
			continue
		}
		r.found(secretSeen, a, fmt.Sprintf("%s %q in %s", s.what, s.text, got.bytes()))
	}
}

// isName tells whether a text is one of the victim's names, which the platform's
// workers are told.
func (w *world) isName(s string) bool {
	return slices.Contains(append(forms(w.b.UUID), w.b.ID, w.b.Slug, w.b.Namespace), s)
}

// holds tells whether the request itself holds a text: what an attacker knows
// already is no secret.
func (r *request) holds(text string) bool {
	for _, part := range []string{r.path, r.query, r.body, fmt.Sprint(r.header)} {
		plain, err := url.QueryUnescape(part)
		if strings.Contains(part, text) || (err == nil && strings.Contains(plain, text)) {
			return true
		}
	}
	return false
}

// leastOpaque is the least length of a word that may be a cursor, an entity tag or the
// like.
const leastOpaque = 22

// unpacked is what cursors, entity tags and their like hold inside.
func unpacked(text string) string {
	var b strings.Builder
	for _, word := range strings.FieldsFunc(text, notOpaque) {
		if len(word) < leastOpaque {
			continue
		}
		raw, _ := base64.RawURLEncoding.DecodeString(word) // as far as it goes
		b.Write(raw)
	}
	return b.String()
}

// notOpaque tells what stands between such words: all that base64url has not.
func notOpaque(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '_' && r != '-'
}

// found notes a finding.
func (r *run) found(oracle string, a *attack, detail string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, f := range r.findings {
		if f.operation == a.op.id {
			n++
		}
	}
	if n < mostFindings && (!r.first || n == 0) {
		r.findings = append(r.findings, finding{oracle, a.op.id, a.String(), detail})
	}
	if r.first {
		r.stop()
	}
}

// metrics looks for the victim's secrets in what the processes measure.
func (r *run) metrics(ctx context.Context, t testing.TB) {
	t.Helper()
	if ctx.Err() != nil {
		return
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, r.w.api.Metrics, nil)
	if err != nil {
		t.Fatal(err)
	}
	res, err := r.w.client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	body, err := io.ReadAll(res.Body)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatalf("metrics: %d %v", res.StatusCode, err)
	}
	for _, s := range r.w.hidden[r.w.system].in(string(body)) {
		r.found(secretLogged, &attack{family: "metrics", op: &operation{id: "metrics"}, by: &credential{}}, s.what+" in: "+line(string(body), s.at))
	}
}

// sample returns some attacks of each family: the same ones in each run, and
// the admin's own, which shows that the operation works at all.
func sample(o *operation, attacks []*attack, most int) []*attack {
	sum := fnv.New64a()
	_, _ = sum.Write([]byte(o.id)) // never fails
	dice := rand.New(rand.NewPCG(sum.Sum64(), 0))
	var out []*attack
	byFamily, families := map[string][]*attack{}, []string{}
	for _, a := range attacks {
		family, _, _ := strings.Cut(a.family, ":")
		if strings.HasPrefix(family, "header ") {
			family = "header"
		}
		if family == "own" && a.by.name == sorts[1].name {
			out = append(out, a)
			continue
		}
		family += " " + a.refused // an oracle each
		if byFamily[family] == nil {
			families = append(families, family)
		}
		byFamily[family] = append(byFamily[family], a)
	}
	for _, family := range families {
		all := byFamily[family]
		dice.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		first, more := perAttacker(all)
		name, _, _ := strings.Cut(all[0].family, ":")
		switch {
		case name == foreignCursor || name == foreignTag+"If-Match" || name == foreignTag+"If-None-Match":
			out = append(out, all...) // few, and by everybody
			continue
		case strings.HasPrefix(family, "escalation"):
			out = append(out, first...) // what counts is by whom
			continue
		}
		out = append(out, append(first, more...)[:min(most, len(all))]...)
	}
	return out
}

// perAttacker returns one attack of each attacker, and the others.
func perAttacker(attacks []*attack) (first, more []*attack) {
	known := map[string]bool{}
	for _, a := range attacks {
		if known[a.by.name] {
			more = append(more, a)
			continue
		}
		known[a.by.name] = true
		first = append(first, a)
	}
	return first, more
}

// succeed shows that every operation that no attack made succeed does so for
// those who may, on an organization of its own: an attack on what never works
// shows nothing.
func (r *run) succeed(t testing.TB) {
	t.Helper()
	for _, o := range contract() {
		s := seeded[o.id]
		if r.succeeded[o.id] || s.Never != "" {
			continue
		}
		p := r.w.newParty(t)
		if s.Make != nil {
			p.For[o.id] = s.Make(t, r.w, p)
		}
		var answers []string
		for _, key := range []string{p.key, r.w.stack.OperatorKey} {
			send := r.w.plain(o, p, p)
			got := r.ask(t.Context(), t, &send, &credential{name: "its own", header: bearer(key)})
			answers = append(answers, got.bytes())
			if got.status < http.StatusMultipleChoices {
				answers = nil
				break
			}
		}
		if answers != nil {
			t.Errorf("%s succeeds for nobody: its seed is wrong\n%s", o.id, strings.Join(answers, "\n"))
		}
	}
}
