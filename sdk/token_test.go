package sdk

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/matryer/is"
	"go.temporal.io/api/workflowservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// issuer gives numbered tokens of ten minutes, counts, and fails when told.
type issuer struct {
	asked int
	err   error
	hold  chan struct{} // unless nil, an answer waits for it
	life  time.Duration
}

func (i *issuer) fetch(context.Context) (*Token, error) {
	i.asked++
	if i.hold != nil {
		<-i.hold
	}
	if i.err != nil {
		return nil, i.err
	}
	return &Token{Token: fmt.Sprint("token-", i.asked), ExpiresAt: time.Now().Add(i.life), Namespace: "org-acme"}, nil
}

// Time in these tests is that of a bubble: it passes at once when all wait.
func inBubble(t *testing.T, name string, f func(t *testing.T, is *is.I, i *issuer, s *tokenSource)) {
	t.Run(name, func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			i := &issuer{life: 10 * time.Minute}
			s := newTokenSource(i.fetch)
			s.jitter = func() float64 { return 0.5 }
			f(t, is.New(t), i, s)
		})
	})
}

// pass lets time pass, and everything that is due in it happen.
func pass(d time.Duration) {
	<-time.NewTimer(d).C
	synctest.Wait()
}

func TestTokenSource(t *testing.T) {
	inBubble(t, "Should fetch once and use the token again", func(t *testing.T, is *is.I, i *issuer, s *tokenSource) {
		for range 3 {
			got, err := s.get(t.Context())
			is.NoErr(err)
			is.Equal(got, secret("token-1"))
			pass(time.Minute)
		}
		is.Equal(i.asked, 1)
	})
	inBubble(t, "Should refresh at 60 % of its life without making anybody wait", func(t *testing.T, is *is.I, i *issuer, s *tokenSource) {
		_, err := s.get(t.Context())
		is.NoErr(err)
		pass(6*time.Minute - time.Second)
		_, _ = s.get(t.Context())
		is.Equal(i.asked, 1)
		pass(2 * time.Second)
		i.hold = make(chan struct{})
		for range 3 {
			got, err := s.get(t.Context())
			is.NoErr(err)
			is.Equal(got, secret("token-1")) // the old one, while the new one is under way
		}
		close(i.hold)
		synctest.Wait()
		got, err := s.get(t.Context())
		is.NoErr(err)
		is.Equal(got, secret("token-2"))
		is.Equal(i.asked, 2) // one fetch for all
	})
	inBubble(t, "Should fetch once for all that wait", func(t *testing.T, is *is.I, i *issuer, s *tokenSource) {
		i.hold = make(chan struct{})
		got := make(chan secret, 10)
		for range cap(got) {
			go func() {
				token, _ := s.get(t.Context())
				got <- token
			}()
		}
		synctest.Wait()
		close(i.hold)
		for range cap(got) {
			is.Equal(<-got, secret("token-1"))
		}
		is.Equal(i.asked, 1)
	})
	inBubble(t, "Should go on for others when the caller who began the fetch gives up", func(t *testing.T, is *is.I, i *issuer, s *tokenSource) {
		i.hold = make(chan struct{})
		ctx, cancel := context.WithCancel(t.Context())
		gaveUp := make(chan error, 1)
		go func() {
			_, err := s.get(ctx)
			gaveUp <- err
		}()
		synctest.Wait()
		cancel()
		is.True(errors.Is(<-gaveUp, context.Canceled))
		close(i.hold)
		got, err := s.get(t.Context())
		is.NoErr(err)
		is.Equal(got, secret("token-1"))
		is.Equal(i.asked, 1)
	})
	inBubble(t, "Should use the old token while the refresh fails, and no longer than it is valid", func(t *testing.T, is *is.I, i *issuer, s *tokenSource) {
		_, err := s.get(t.Context())
		is.NoErr(err)
		i.err = errors.New("away")
		for range 9 {
			pass(time.Minute)
			got, err := s.get(t.Context())
			is.NoErr(err)
			is.Equal(got, secret("token-1"))
			synctest.Wait()
		}
		pass(50 * time.Second) // ten seconds before its end, by when it must have been replaced
		_, err = s.get(t.Context())
		is.True(errors.Is(err, i.err))
		i.err = nil
		pass(longestFetchPause)
		got, err := s.get(t.Context())
		is.NoErr(err)
		is.True(got != "token-1")
	})
	inBubble(t, "Should space failed fetches, longer and longer", func(t *testing.T, is *is.I, i *issuer, s *tokenSource) {
		i.err = errors.New("away")
		for range 600 {
			_, err := s.get(t.Context())
			is.True(errors.Is(err, i.err))
			pass(100 * time.Millisecond)
		}
		is.True(i.asked > 4 && i.asked < 12) // in a minute
	})
	inBubble(t, "Should wait as long as the API asks", func(t *testing.T, is *is.I, i *issuer, s *tokenSource) {
		i.err = &Error{Status: 429, RetryAfter: time.Minute}
		_, _ = s.get(t.Context())
		pass(59 * time.Second)
		_, _ = s.get(t.Context())
		is.Equal(i.asked, 1)
		pass(2 * time.Second)
		_, _ = s.get(t.Context())
		is.Equal(i.asked, 2)
	})
	inBubble(t, "Should refuse a token that has expired already instead of asking for ever", func(t *testing.T, is *is.I, i *issuer, s *tokenSource) {
		i.life = -time.Minute
		_, err := s.get(t.Context())
		is.True(errors.Is(err, errStale))
		_, _ = s.get(t.Context())
		is.Equal(i.asked, 1)
	})
}

func TestTokenBook(t *testing.T) {
	t.Parallel()
	book := func(err error) *tokenBook {
		return newTokenBook(func(_ context.Context, org string) (*Token, error) {
			if err != nil {
				return nil, err
			}
			return &Token{Token: "token of " + org, Namespace: "org-" + org, ExpiresAt: time.Now().Add(time.Hour)}, nil
		})
	}
	// send returns the credentials that a request is sent with.
	send := func(t *testing.T, b *tokenBook, req any) ([]string, error) {
		var got []string
		err := b.authorize(t.Context(), "m", req, nil, nil,
			func(ctx context.Context, _ string, _, _ any, _ *grpc.ClientConn, _ ...grpc.CallOption) error {
				md, _ := metadata.FromOutgoingContext(ctx)
				got = md.Get("authorization")
				return nil
			})
		return got, err
	}
	t.Run("Should choose the token by the namespace that a request names", func(t *testing.T) {
		is := is.New(t)
		b := book(nil)
		b.open("org-a", "a")
		b.open("org-b", "b")
		for _, org := range []string{"a", "b"} {
			got, err := send(t, b, &workflowservice.PollWorkflowTaskQueueRequest{Namespace: "org-" + org})
			is.NoErr(err)
			is.Equal(got, []string{"Bearer token of " + org})
		}
	})
	t.Run("Should send no token with a request that names no namespace, or another", func(t *testing.T) {
		is := is.New(t)
		b := book(nil)
		b.open("org-a", "a")
		for _, req := range []any{
			&workflowservice.GetSystemInfoRequest{}, &workflowservice.DescribeNamespaceRequest{Namespace: "org-c"},
		} {
			got, err := send(t, b, req)
			is.NoErr(err)
			is.Equal(len(got), 0)
		}
	})
	t.Run("Should not use a token of another namespace", func(t *testing.T) {
		is := is.New(t)
		b := book(nil)
		b.open("org-a", "b") // the API answers with the token of org-b
		got, err := send(t, b, &workflowservice.DescribeNamespaceRequest{Namespace: "org-a"})
		is.True(err != nil)
		is.Equal(len(got), 0)
	})
	t.Run("Should keep a source until its last user has closed it", func(t *testing.T) {
		is := is.New(t)
		b := book(nil)
		first, second := b.open("org-a", "a"), b.open("org-a", "a")
		first()
		first() // twice is once
		is.True(b.source("org-a") != nil)
		second()
		is.True(b.source("org-a") == nil)
	})
	for err, want := range map[error]codes.Code{
		errors.New("away"):                        codes.Unavailable,
		&Error{Status: 503}:                       codes.Unavailable,
		&Error{Status: 429, RetryAfter: 1}:        codes.Unavailable,
		&Error{Status: 404, Detail: "Not found."}: codes.PermissionDenied,
		context.Canceled:                          codes.Canceled,
		context.DeadlineExceeded:                  codes.DeadlineExceeded,
	} {
		t.Run(fmt.Sprintf("Should tell Temporal's client of %q as %s", err, want), func(t *testing.T) {
			is := is.New(t)
			b := book(err)
			b.open("org-a", "a")
			_, got := send(t, b, &workflowservice.DescribeNamespaceRequest{Namespace: "org-a"})
			is.Equal(status.Code(got), want)
		})
	}
}
