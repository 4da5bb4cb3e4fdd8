package httpapi

import (
	"net/http"
	"strings"

	"github.com/bulkheadhq/bulkhead/core/fault"
)

// authenticate finds out who is asking, unless the operation is public. It comes
// before anything about the request's parameters or body is judged: to those
// without a key the API says nothing but that one is needed.
func (s *Server) authenticate(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		e := exchangeOf(r.Context())
		if e.endpoint.public {
			next.ServeHTTP(w, r)
			return
		}
		token, err := bearer(r.Header)
		if err != nil {
			fail(w, r, err)
			return
		}
		caller, err := s.auth.Authenticate(r.Context(), token, e.ip)
		if err != nil {
			fail(w, r, err)
			return
		}
		e.actor, e.holder = caller.Actor, caller.Limits
		next.ServeHTTP(w, r)
	})
}

const bearerScheme = "Bearer "

// bearer returns the token of the one Authorization header. Two of them are
// refused: a proxy may have judged the one and we the other.
func bearer(h http.Header) (string, error) {
	given := h["Authorization"]
	if len(given) > 1 {
		return "", errDuplicateHeader.WithFields(fault.Field{
			Pointer: "Authorization", Rule: ruleRepeated, Detail: "must stand in the request once",
		})
	}
	if len(given) == 0 || len(given[0]) <= len(bearerScheme) || !strings.EqualFold(given[0][:len(bearerScheme)], bearerScheme) {
		return "", fault.ErrUnauthenticated
	}
	return given[0][len(bearerScheme):], nil
}
