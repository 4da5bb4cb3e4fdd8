package postgres

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/bulkheadhq/bulkhead/adapters/postgres/internal/dbsqlc"
	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/ports"
)

const (
	// maxGathered is how many hashes one round trip asks for.
	maxGathered = 256

	// flightLimit bounds a round trip, as nobody's ctx does: whoever waits may leave
	// it, and it goes on for the others.
	flightLimit = 3 * time.Second
)

// Credentials finds the owner of a presented key. It works as the
// authentication role, on that role's own pool.
//
// A call asks by itself, in its own goroutine: to hand that to another, and to be woken
// by it, takes as long as the database does. Calls gather while the round trips under way
// are as many as there may be, and the next one asks for all of them: the more there are,
// the less each costs.
type Credentials struct {
	db      dbsqlc.DBTX
	flights int // how many round trips there may be at once

	mu     sync.Mutex
	flying int
	queue  []*gathering
}

var _ ports.Credentials = (*Credentials)(nil)

// NewCredentials returns the credentials of a database. Half of the role's
// connections are left to others, such as the feed of changes.
func NewCredentials(db *DB) *Credentials {
	return &Credentials{db: guarded{db.auth}, flights: max(1, int(db.auth.Config().MaxConns)/2)}
}

// gathering is what one round trip asks for, each hash once.
type gathering struct {
	asked map[apikey.Versioned]*dbsqlc.CredentialFindRow // nil: not found, once it has landed
	err   error
	done  chan struct{} // closed when it has landed, for those who did not make it
}

func newGathering() *gathering {
	return &gathering{asked: map[apikey.Versioned]*dbsqlc.CredentialFindRow{}, done: make(chan struct{})}
}

// Find implements ports.Credentials. It never joins a round trip that is under way
// already, not even for the same hash: what that one reads may be older than the
// call.
func (c *Credentials) Find(ctx context.Context, candidates []apikey.Versioned) (apikey.Credential, error) {
	if len(candidates) == 0 {
		return apikey.Credential{}, fault.ErrNotFound
	}
	if ctx.Err() != nil {
		return apikey.Credential{}, translate(ctx, ctx.Err())
	}
	g, leads := c.join(candidates)
	if leads {
		// It is not given up with ctx: that would cost the connection, and whoever presents
		// keys and does not wait for the answers could have them all made anew.
		c.lead(g) //nolint:contextcheck // see above
	} else {
		select {
		case <-g.done:
		case <-ctx.Done():
			return apikey.Credential{}, translate(ctx, ctx.Err())
		}
	}
	if g.err != nil {
		return apikey.Credential{}, g.err
	}
	for _, candidate := range candidates {
		if row := g.asked[candidate]; row != nil {
			return toCredential(row)
		}
	}
	return apikey.Credential{}, fault.ErrNotFound
}

// join begins a round trip for a call alone when there may be one more: then it leads.
// Else it adds the call to those that wait.
func (c *Credentials) join(candidates []apikey.Versioned) (g *gathering, leads bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch n := len(c.queue); {
	case c.flying < c.flights: // nobody waits, or they would be under way
		c.flying++
		g, leads = newGathering(), true
	case n > 0 && len(c.queue[n-1].asked)+len(candidates) <= maxGathered:
		g = c.queue[n-1]
	default:
		g = newGathering()
		c.queue = append(c.queue, g)
	}
	for _, candidate := range candidates {
		g.asked[candidate] = nil
	}
	return g, leads
}

// lead makes the round trip of one call. Its place then is theirs who wait.
func (c *Credentials) lead(g *gathering) {
	defer func() {
		if waiting := c.next(); waiting != nil {
			go c.fly(waiting)
		}
	}()
	g.err = c.ask(g)
}

// fly makes one round trip after another, until nobody waits.
func (c *Credentials) fly(g *gathering) {
	for ; g != nil; g = c.next() {
		g.err = c.ask(g)
		close(g.done)
	}
}

// next returns the first of those that wait. When nobody does, there is a place for one
// more round trip.
func (c *Credentials) next() *gathering {
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.queue) == 0 {
		c.flying--
		return nil
	}
	g := c.queue[0]
	c.queue = c.queue[1:]
	return g
}

// ask makes the round trip. The index has compared the hashes, in a time that tells
// nothing an attacker could steer.
func (c *Credentials) ask(g *gathering) error {
	ctx, cancel := context.WithTimeout(context.Background(), flightLimit)
	defer cancel()
	candidates, params := make([]apikey.Versioned, 0, len(g.asked)), make([]*dbsqlc.CredentialFindParams, 0, len(g.asked))
	for c := range g.asked {
		candidates, params = append(candidates, c), append(params, &dbsqlc.CredentialFindParams{Version: c.Version, Hash: c.Hash[:]})
	}
	var failed error
	queries.CredentialFind(ctx, c.db, params).QueryRow(func(i int, row *dbsqlc.CredentialFindRow, err error) {
		switch {
		case err == nil:
			g.asked[candidates[i]] = row
		case !fault.IsKind(err, fault.NotFound) && failed == nil:
			failed = err // what fails one fails those after it
		}
	})
	if errors.Is(failed, fault.ErrTimeout) {
		// No caller has chosen this limit: a database that does not answer in it is away.
		return fault.ErrUnavailable.Because(failed).After(comeBack)
	}
	return failed
}
