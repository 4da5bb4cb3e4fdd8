package httpapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/fault"
)

// answer lets err leave the package, as the answer to a request.
func answer(ctx context.Context, err error) (*httptest.ResponseRecorder, *exchange) {
	w := httptest.NewRecorder()
	e := &exchange{ResponseWriter: w, requestID: [1]string{"r"}}
	e.Header().Set("X-Request-Id", "r")
	fail(e, httptest.NewRequest(http.MethodGet, "/", nil).WithContext(context.WithValue(ctx, exchangeKey{}, e)), err)
	return w, e
}

func TestProblem(t *testing.T) {
	t.Parallel()

	t.Run("Should have a status for every kind of fault", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)

		last := fault.Internal
		for k := fault.Internal; k.String() != fault.Internal.String() || k == fault.Internal; k++ {
			_, ok := statusByKind[k]
			is.True(ok) // a kind without a status would be a 500
			last = k
		}
		is.Equal(last, fault.Timeout) // the loop has seen them all
		is.Equal(len(statusByKind), int(last)+1)
		is.Equal(statusOf(&fault.Error{Kind: last + 1}), http.StatusInternalServerError) // and one of tomorrow is
	})

	t.Run("Should render every declared fault", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := &bundle{t: t}

		for _, f := range fault.All() {
			w, e := answer(t.Context(), fmt.Errorf("wrapped: %w", f.Because(errors.New("the secret cause"))))
			p := b.problem(w)
			is.Equal(p.Code, f.Code)
			is.Equal(p.Detail, f.Public)
			is.True(p.Title != "")
			is.True(w.Code >= 400 && w.Code < 600)
			is.True(utf8.RuneCountInString(p.Detail) <= 1024 && len(p.Type) <= 256) // the contract's bounds
			is.Equal(w.Header().Get("WWW-Authenticate") != "", w.Code == 401)       // and only then
			is.Equal(w.Header().Get("Cache-Control"), "no-store")                   // whoever kept it would keep the failure
			is.True(!strings.Contains(w.Body.String(), "secret cause"))             // the cause is for the log
			is.True(strings.Contains(e.problem.Error(), "secret cause"))            // where it is
			is.Equal(statusByKind[f.Kind] == w.Code, statusByCode[f.Code] == 0)     // no other exceptions
		}
	})

	t.Run("Should say no more than that of an unknown error", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)

		w, _ := answer(t.Context(), errors.New(`ERROR: relation "users" does not exist (SQLSTATE 42P01)`))
		is.Equal(w.Code, http.StatusInternalServerError)
		is.Equal((&bundle{t: t}).problem(w).Detail, fault.ErrInternal.Public)
	})

	t.Run("Should tell our own deadline from a client that is gone", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)

		late, cancel := context.WithTimeout(t.Context(), 0)
		defer cancel()
		w, _ := answer(late, fmt.Errorf("query: %w", context.DeadlineExceeded))
		is.Equal(w.Code, http.StatusGatewayTimeout)
		gone, leave := context.WithCancel(t.Context())
		leave()
		w, e := answer(gone, fault.ErrUnavailable.Because(context.Canceled))
		is.Equal(w.Code, statusClientGone)
		is.True(!e.isOurs())
	})

	t.Run("Should pass on when to come back, in whole seconds", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)

		for err, want := range map[*fault.Error]string{
			fault.ErrUnavailable: "1", // advice of our own
			fault.ErrUnavailable.After(2500 * time.Millisecond): "3",
			fault.ErrTimeout:                        "1", // it may be less busy then
			fault.ErrTimeout.After(2 * time.Second): "2",
			fault.ErrNotFound:                       "",
		} {
			w, _ := answer(t.Context(), err)
			is.Equal(w.Header().Get("Retry-After"), want)
		}
	})

	t.Run("Should keep within the bounds of the contract whatever the request was", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)

		fields := make([]fault.Field, 101)
		for i := range fields {
			fields[i] = fault.Field{Pointer: strings.Repeat("é", 513), Rule: "r", Detail: strings.Repeat("x", 513)}
		}
		w, _ := answer(t.Context(), fault.ErrInvalid.WithFields(fields...))
		got := *(&bundle{t: t}).problem(w).Fields
		is.Equal(len(got), 100)
		is.Equal(utf8.RuneCountInString(got[0].Pointer), 512)
		is.Equal(len(got[0].Detail), 512)
		is.Equal(got[1], gen.ProblemField{Pointer: strings.Repeat("é", 512), Rule: "r", Detail: strings.Repeat("x", 512)})
	})

	t.Run("Should leave an answer that has begun alone", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := httptest.NewRecorder()
		e := &exchange{ResponseWriter: w}
		_, err := e.Write([]byte("the beginning"))
		is.NoErr(err)

		fail(e, httptest.NewRequest(http.MethodGet, "/", nil).WithContext(context.WithValue(t.Context(), exchangeKey{}, e)), errors.New("x"))
		is.Equal(w.Body.String(), "the beginning")
		is.Equal(e.problem.Code, fault.ErrInternal.Code) // the log has it
	})

	t.Run("Should take back what a handler had said of its answer", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		w := httptest.NewRecorder()
		e := &exchange{ResponseWriter: w}
		for _, name := range []string{"ETag", "Location", "Cache-Control"} {
			e.Header().Set(name, "public")
		}
		fail(e, httptest.NewRequest(http.MethodGet, "/", nil).WithContext(context.WithValue(t.Context(), exchangeKey{}, e)), errors.New("x"))
		is.Equal(w.Header().Get("ETag")+w.Header().Get("Location"), "")
		is.Equal(w.Header().Get("Cache-Control"), "no-store")
	})
}
