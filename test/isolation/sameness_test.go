package isolation

import (
	"math/rand/v2"
	"net/http"
	"slices"
	"testing"
	"time"
)

// rounds is how often each kind of refusal is timed.
func rounds() int {
	if full() {
		return 20_000
	}
	return 200
}

// bound is the most by which the medians of two refusals may differ, on a machine
// that is not busy with something else: on one that is, everything takes longer,
// and a tenth of the median is allowed. It holds for the full number of rounds,
// sent by turns: a sample's noise is larger.
const bound = 50 * time.Microsecond

// compared are the keys whose time is compared with an unknown one's: each way to
// end is read from another row, or from none.
var compared = []string{expired, revoked, suspended, orgSuspended}

// sameness times refusals against each other. What they say is compared by the
// matrix; this is about what their time says.
//
// A malformed key is no part of it. It never reaches the database, which shows,
// and tells nothing: whether a key is well formed is a sum that anyone can do
// without asking us. A pretended look-up would hide that, and give everybody a
// query of ours for each word they send.
func (w *world) sameness(t *testing.T) {
	t.Helper()
	who := request{method: http.MethodGet, path: "/api/v0/auth/whoami"}
	at := func(p *party) request {
		return request{method: http.MethodGet, path: "/api/v0/organizations/" + p.ID}
	}
	admin := &w.attackers[1].credential
	t.Run("Should take as long for every key that is refused", func(t *testing.T) {
		kinds := []timed{}
		for _, by := range w.refused {
			if by.name == "an unknown key" {
				kinds = append([]timed{{by.name, who, by}}, kinds...)
			} else if slices.Contains(compared, by.name) {
				kinds = append(kinds, timed{by.name, who, by})
			}
		}
		w.time(t, kinds)
	})
	t.Run("Should take as long for a foreign organization as for one that is absent", func(t *testing.T) {
		w.time(t, []timed{
			{"an absent organization", at(w.absent), admin}, {"a foreign organization", at(w.b), admin},
		})
	})
	t.Run("Should take as long for a foreign user as for one that is absent", func(t *testing.T) {
		path := "/api/v0/organizations/" + w.a.ID + "/users/"
		w.time(t, []timed{
			{"an absent user", request{method: http.MethodGet, path: path + w.absent.Values["user"]}, admin},
			{"a foreign user", request{method: http.MethodGet, path: path + w.b.Values["user"]}, admin},
		})
	})
}

// timed is a request whose time is compared.
type timed struct {
	name string
	send request
	by   *credential
}

// time sends the requests by turns, in a new order each time, and compares the
// median of each with that of the first.
func (w *world) time(t *testing.T, kinds []timed) {
	t.Helper()
	took := make([][]time.Duration, len(kinds))
	dice := rand.New(rand.NewPCG(1, 2))
	for range rounds() {
		for _, i := range dice.Perm(len(kinds)) {
			started := time.Now()
			if _, err := w.do(t.Context(), &kinds[i].send, kinds[i].by); err != nil {
				t.Fatal(err)
			}
			took[i] = append(took[i], time.Since(started))
		}
	}
	first := median(took[0])
	for i, k := range kinds {
		m := median(took[i])
		t.Logf("%-36s median %v, difference %v", k.name, m, m-first)
		if full() && (m-first).Abs() > max(bound, first/10) {
			t.Errorf("%s takes %v, %s %v", k.name, m, kinds[0].name, first)
		}
	}
}

func median(all []time.Duration) time.Duration {
	slices.Sort(all)
	return all[len(all)/2]
}
