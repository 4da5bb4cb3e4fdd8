package sdk

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"time"

	"go.temporal.io/sdk/client"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// Dial returns a Temporal client for the namespace of the API key's own
// organization, with tokens that refresh themselves. It needs tokens:write.
//
// The address comes from the API. Each adjust may change the options before the
// connection is made, to give TLS, a data converter, or another address.
func Dial(ctx context.Context, cfg Config, adjust ...func(*client.Options)) (client.Client, error) {
	api, err := New(cfg)
	if err != nil {
		return nil, err
	}
	source := newTokenSource(func(ctx context.Context) (*Token, error) { return api.Token(ctx, TokenRequest{}) })
	asked := time.Now()
	first, err := api.Token(ctx, TokenRequest{})
	if err != nil {
		return nil, fmt.Errorf("get a data-plane token: %w", err)
	}
	if err := source.store(first, asked); err != nil {
		return nil, err
	}
	o := client.Options{HostPort: first.TemporalAddress, Logger: newTemporalLog(slog.Default())}
	for _, f := range adjust {
		f(&o)
	}
	o.Namespace = first.Namespace
	tokens := newTokenBook(nil)
	tokens.sources[first.Namespace] = &sharedSource{tokenSource: source, users: 1}
	o.ConnectionOptions.DialOptions = append(o.ConnectionOptions.DialOptions, tokens.dialOption())
	return client.DialContext(ctx, o)
}

// tokenBook holds the token source of every namespace that a process speaks to.
//
// A token is chosen for each call by the namespace that the call names, in an
// interceptor of the connection. Nothing else can: clients that share a
// connection have no credentials of their own, as gRPC takes those when it dials.
type tokenBook struct {
	fetch func(ctx context.Context, org string) (*Token, error)

	mu      sync.RWMutex
	sources map[string]*sharedSource // by namespace
}

// sharedSource counts its users: an organization that comes back while it is
// still being drained has two.
type sharedSource struct {
	*tokenSource
	users int
}

func newTokenBook(fetch func(ctx context.Context, org string) (*Token, error)) *tokenBook {
	return &tokenBook{fetch: fetch, sources: make(map[string]*sharedSource)}
}

// open makes tokens for a namespace available until each caller has closed it.
func (b *tokenBook) open(namespace, org string) (closeIt func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	s := b.sources[namespace]
	if s == nil {
		s = &sharedSource{tokenSource: newTokenSource(func(ctx context.Context) (*Token, error) {
			t, err := b.fetch(ctx, org)
			if err == nil && t.Namespace != namespace {
				return nil, errors.New("the API gave a token for another namespace")
			}
			return t, err
		})}
		b.sources[namespace] = s
	}
	s.users++
	return sync.OnceFunc(func() {
		b.mu.Lock()
		defer b.mu.Unlock()
		if s.users--; s.users == 0 {
			delete(b.sources, namespace)
		}
	})
}

func (b *tokenBook) source(namespace string) *sharedSource {
	b.mu.RLock()
	defer b.mu.RUnlock()
	return b.sources[namespace]
}

func (b *tokenBook) dialOption() grpc.DialOption { return grpc.WithChainUnaryInterceptor(b.authorize) }

// authorize sends the token of the namespace that a request names with it. A
// request that names none, or an unknown one, goes without: Temporal decides.
func (b *tokenBook) authorize(
	ctx context.Context, method string, req, reply any, cc *grpc.ClientConn, invoke grpc.UnaryInvoker, opts ...grpc.CallOption,
) error {
	if r, ok := req.(interface{ GetNamespace() string }); ok {
		if s := b.source(r.GetNamespace()); s != nil {
			token, err := s.get(ctx)
			if err != nil {
				return tokenStatus(err)
			}
			ctx = metadata.AppendToOutgoingContext(ctx, "authorization", "Bearer "+string(token))
		}
	}
	return invoke(routable(ctx), method, req, reply, cc, opts...)
}

// routable takes away the header in which Temporal's SDK repeats a workflow's id
// for routing, where gRPC could not carry it: an id may hold any letters, a
// header only those of ASCII, and a worker could never answer such a workflow's
// tasks. (The control plane's own connection does the same; this package imports
// nothing of it.)
func routable(ctx context.Context) context.Context {
	const resource = "temporal-resource-id"
	sent, _ := metadata.FromOutgoingContext(ctx) // a copy
	for _, id := range sent.Get(resource) {
		if strings.ContainsFunc(id, func(r rune) bool { return r < ' ' || r > '~' }) {
			sent.Delete(resource)
			return metadata.NewOutgoingContext(ctx, sent)
		}
	}
	return ctx
}

// tokenStatus says why there is no token in gRPC's words, so that Temporal's
// client repeats what may succeed later, and only that.
func tokenStatus(err error) error {
	code := codes.Unavailable
	var problem *Error
	switch {
	case errors.Is(err, context.Canceled):
		code = codes.Canceled
	case errors.Is(err, context.DeadlineExceeded):
		code = codes.DeadlineExceeded
	case errors.As(err, &problem) && problem.Status/100 == 4 && problem.RetryAfter == 0:
		code = codes.PermissionDenied
	}
	return status.Errorf(code, "get a data-plane token: %v", err)
}
