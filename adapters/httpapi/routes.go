package httpapi

import (
	"net/http"
	"slices"
	"strings"

	"github.com/go-chi/chi/v5"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
)

// routes puts everything together: the middleware in their order, begin first of
// all, and under them the routes, which the generated code takes from the OpenAPI document.
func (s *Server) routes(h *handlers) (http.Handler, error) {
	router := chi.NewRouter()
	router.Use(
		s.accessLog,   // outside of recovery, to see what became of a panic
		recoverPanics, // outside of whatever may panic
		s.secureHeaders,
		headAsGet,
	)
	router.NotFound(noRoute)
	router.MethodNotAllowed(methodNotAllowed(router))
	gen.HandlerWithOptions(
		gen.NewStrictHandlerWithOptions(h, nil, gen.StrictHTTPServerOptions{
			RequestErrorHandlerFunc:  func(w http.ResponseWriter, r *http.Request, err error) { fail(w, r, misfit(err)) },
			ResponseErrorHandlerFunc: fail,
		}),
		gen.ChiServerOptions{
			BaseRouter: router.With(
				s.identify,     // what is asked for
				s.deadline,     // how long it may take, authentication included
				s.authenticate, // who asks; before anything else of the request is judged
				s.limit,        // how often they may
				s.signed,       // or whether it is signed, where that is asked for
				s.validate,     // and whether the request is one at all
				s.weigh,        // and how much of one
				s.once,         // and whether it was carried out before
			),
			// After validate nothing is left that could not be bound.
			ErrorHandlerFunc: func(w http.ResponseWriter, r *http.Request, err error) { fail(w, r, misfit(err)) },
		})
	if err := describe(router); err != nil {
		return nil, err
	}
	served, err := registered(router)
	if err != nil {
		return nil, err
	}
	// Outside of the router, which then finds its own context in the exchange.
	return s.begin(router), s.contract.compare(served)
}

// registered returns the routes that the router knows, but for those of the
// pages about the API.
func registered(router chi.Routes) ([]route, error) {
	var found []route
	err := chi.Walk(router, func(method, pattern string, _ http.Handler, _ ...func(http.Handler) http.Handler) error {
		if !slices.Contains(documentation, pattern) {
			found = append(found, route{method, pattern})
		}
		return nil
	})
	return found, err
}

func noRoute(w http.ResponseWriter, r *http.Request) { fail(w, r, errNoRoute) }

// headAsGet has a request by HEAD answered as one by GET, from the credential to the
// headers; net/http sends no body.
func headAsGet(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		chi.RouteContext(r.Context()).RouteMethod = routed(r.Method)
		next.ServeHTTP(w, r)
	})
}

// routed returns the method whose routes answer a method.
func routed(method string) string {
	if method == http.MethodHead {
		return http.MethodGet
	}
	return method
}

// methods are those that a request could have, in the order of the header Allow.
var methods = []string{
	http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodPatch,
	http.MethodDelete, http.MethodConnect, http.MethodOptions, http.MethodTrace,
}

// methodNotAllowed answers with the methods that the path does have, which to
// OPTIONS is all there is to say: what the document says to everybody, whoever asks
// and whatever the path names. The router comes here, too, with a method that it
// never heard of, whatever the path.
func methodNotAllowed(router chi.Routes) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		allowed := slices.DeleteFunc(slices.Clone(methods), func(m string) bool {
			return !router.Match(chi.NewRouteContext(), routed(m), r.URL.EscapedPath())
		})
		if len(allowed) == 0 {
			noRoute(w, r)
			return
		}
		w.Header().Set("Allow", strings.Join(append(allowed, http.MethodOptions), ", "))
		if r.Method == http.MethodOptions {
			w.WriteHeader(http.StatusNoContent)
			return
		}
		fail(w, r, errMethod)
	}
}
