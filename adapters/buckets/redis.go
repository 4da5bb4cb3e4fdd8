package buckets

import (
	"context"
	_ "embed" // the script
	"errors"
	"fmt"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/ratelimit"
	"github.com/bulkheadhq/bulkhead/ports"
)

const (
	// tick is the unit of the script's time.
	tick = 100 * time.Nanosecond

	// maxTicks bounds how far a bucket can be ahead, so that the script's numbers,
	// which are doubles, stay exact.
	maxTicks = int64(1) << 51

	// keyPrefix stands before the bucket in a key.
	keyPrefix = "bulkhead:bucket:"
)

//go:embed take.lua
var takeText string

var takeScript = redis.NewScript(takeText)

// Redis keeps the buckets in a Redis or Valkey server that all replicas share: together
// they let through what the rate allows. One decision is one round trip, whatever the
// number of its charges. It needs one writable server, by itself or as the primary
// behind one address; Redis Cluster is not such, as the buckets of one decision lie in
// several of its slots.
//
// A server that does not answer costs each decision no more than the deadline, and soon
// nothing: see breaker. What it has refused is refused without it for a moment: see
// refusals.
type Redis struct {
	client   *redis.Client
	deadline time.Duration
	breaker  breaker
	refusals refusals
	start    time.Time // of this process's clock
}

var _ ports.Buckets = (*Redis)(nil)

// NewRedis returns a store in the server of a URL: redis://user:password@host:port/db,
// rediss:// with TLS, or unix:///path?db=0. Nothing takes longer than the deadline. It
// does not connect yet.
func NewRedis(url string, deadline time.Duration) (*Redis, error) {
	options, err := redis.ParseURL(url)
	if err != nil {
		return nil, errors.New("the URL of Redis can not be read") // without the cause, which repeats the password
	}
	redis.SetLogger(silence{})
	options.ContextTimeoutEnabled = true
	options.DialTimeout, options.PoolTimeout = deadline, deadline
	options.ReadTimeout, options.WriteTimeout = deadline, deadline
	options.MaxRetries, options.DialerRetries = -1, 1 // a charge that is sent again may be taken twice
	// No more than the commands of Redis 5: what is optional would cost each connection a round trip.
	options.Protocol, options.DisableIdentity = 2, true
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return &Redis{client: redis.NewClient(options), deadline: deadline, start: time.Now()}, nil
}

// Close ends the connections.
func (r *Redis) Close() error { return r.client.Close() }

// Take implements ports.Buckets.
func (r *Redis) Take(ctx context.Context, charges []ratelimit.Charge, decisions []ratelimit.Decision) error {
	n := len(charges)
	coarse, limited := make([]ratelimit.Charge, n), false
	for i, c := range charges {
		limited = limited || !c.Rate.Unlimited()
		coarse[i] = inTicks(c)
	}
	asked := time.Since(r.start)
	if limited && r.refusals.answer(asked, coarse, decisions) {
		return nil
	}
	keys, args := make([]string, n), make([]any, 0, 4*n)
	for i, c := range coarse {
		keys[i], args = key(c.Bucket), append(args, argsOf(c)...)
	}
	ahead, next := make([]int64, n), make([]int64, n)
	if limited {
		err := r.do(ctx, func(ctx context.Context) error {
			ticks, err := takeScript.Run(ctx, r.client, keys, args...).Int64Slice()
			if err == nil && len(ticks) != n {
				err = fmt.Errorf("the script answered for %d buckets of %d", len(ticks), n)
			}
			for i := range min(n, len(ticks)) {
				ahead[i] = ticks[i] * int64(tick)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	// The script has decided as this does, and says no more than what this needs.
	ratelimit.Take(coarse, ahead, 0, next, decisions)
	r.refusals.hear(asked, coarse, next, decisions)
	return nil
}

// Forget implements ports.Buckets.
func (r *Redis) Forget(ctx context.Context, buckets ...ratelimit.Bucket) error {
	if len(buckets) == 0 {
		return nil
	}
	keys := make([]string, len(buckets))
	for i, b := range buckets {
		keys[i] = key(b)
	}
	defer r.refusals.forget(buckets...) // after the server has, as an answer may be on its way
	return r.do(ctx, func(ctx context.Context) error { return r.client.Del(ctx, keys...).Err() })
}

// do calls the server, within the deadline and unless it is known to be away.
func (r *Redis) do(ctx context.Context, call func(context.Context) error) error {
	ok, probe := r.breaker.allow(time.Now())
	if !ok {
		return fault.ErrUnavailable.Because(errAway)
	}
	if probe {
		ctx = context.WithoutCancel(ctx) // it is made for all: whoever gives up is not to leave the server alone once more
	}
	within, cancel := context.WithTimeout(ctx, r.deadline)
	defer cancel()
	err := call(within)
	if err == nil {
		r.breaker.succeeded()
		return nil
	}
	if ctx.Err() == nil { // else it is the caller who gave up
		r.breaker.failed(time.Now(), probe)
	}
	return fault.ErrUnavailable.Because(fmt.Errorf("redis: %w", err))
}

var errAway = errors.New("redis: it failed just before, and is asked again in a moment")

func key(b ratelimit.Bucket) string { return fmt.Sprintf("%s%x", keyPrefix, b[:]) }

// inTicks returns the charge with a rate and a cost that the script can count with.
func inTicks(c ratelimit.Charge) ratelimit.Charge {
	c.Rate = c.Rate.Coarse(tick)
	if c.Rate.Unlimited() {
		return c
	}
	each := min(int64(c.Rate.Period/tick), maxTicks)
	c.Rate.Period = time.Duration(each) * tick
	c.Rate.Burst = min(c.Rate.Burst, maxTicks/each)
	c.Cost = min(max(0, c.Cost), c.Rate.Burst+1)
	return c
}

// argsOf returns what the script is told of a charge. One without a limit takes nothing.
func argsOf(c ratelimit.Charge) []any {
	if c.Rate.Unlimited() {
		return []any{0, 0, 0, 0}
	}
	return []any{int64(c.Rate.Period / tick), c.Rate.Burst, c.Cost, c.DryRun}
}

// silence takes the client's own log: what went wrong is in the errors that it returns.
type silence struct{}

// Printf writes nothing.
func (silence) Printf(context.Context, string, ...any) {}
