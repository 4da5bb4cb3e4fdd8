package httpapi

import (
	"bytes"
	"context"
	"net/http"
	"sync"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/signing"
)

// GetWhoami shows who is asking.
func (h *handlers) GetWhoami(ctx context.Context, _ gen.GetWhoamiRequestObject) (gen.GetWhoamiResponseObject, error) {
	return whoami{&exchangeOf(ctx).actor}, nil
}

// whoami is the answer to the question that is asked most of all, by whoever
// puts an API behind Bulkhead's keys: so it is written by hand. What is written
// is what encoding/json makes of gen.Actor.
type whoami struct{ actor *authz.Actor }

// VisitGetWhoamiResponse implements gen.GetWhoamiResponseObject.
func (a whoami) VisitGetWhoamiResponse(w http.ResponseWriter) error {
	buf := answers.Get().(*[]byte)
	*buf = a.appendJSON((*buf)[:0])
	w.Header()["Content-Type"] = jsonContent
	w.WriteHeader(http.StatusOK)
	_, err := w.Write(*buf)
	answers.Put(buf)
	return err
}

// answers are buffers for answers that are written at once.
var answers = sync.Pool{New: func() any { return new([]byte) }}

// jsonContent is shared between answers, as other headers are.
var jsonContent = []string{jsonMedia}

// appendJSON appends the answer. The texts are those of identifiers, slugs and
// names of roles and permissions: words, which need no escape.
func (a whoami) appendJSON(b []byte) []byte {
	b = append(b, '{')
	if key := a.actor.Key(); !key.IsZero() {
		b = append(appendID(append(b, `"api_key_id":"`...), key), `",`...)
	}
	b = append(append(b, `"kind":"`...), a.actor.Kind().String()...)
	b = appendID(append(b, `","organization":{"id":"`...), a.actor.Org())
	b = append(append(b, `","slug":"`...), a.actor.OrgSlug()...)
	b = append(b, `"},"permissions":[`...)
	for p := range a.actor.Permissions().All() {
		b = append(append(append(b, '"'), p.String()...), `",`...)
	}
	b = bytes.TrimSuffix(b, []byte(","))
	b = append(append(b, `],"role":"`...), a.actor.Role().String()...)
	if user := a.actor.User(); !user.IsZero() {
		b = appendID(append(b, `","user_id":"`...), user)
	}
	return append(b, "\"}\n"...)
}

// appendID appends an identifier.
func appendID[K id.Kind](b []byte, i id.ID[K]) []byte {
	b, _ = i.AppendText(b) // which cannot fail
	return b
}

// CreateToken exchanges the API key for a data-plane token, by default for the
// key's own organization.
func (h *handlers) CreateToken(ctx context.Context, req gen.CreateTokenRequestObject) (gen.CreateTokenResponseObject, error) {
	by := actorOf(ctx)
	org := by.Org()
	if req.Body.Organization != nil {
		var err error
		if _, org, err = h.organization(ctx, *req.Body.Organization); err != nil {
			return nil, err
		}
	}
	access, err := signing.ParseAccess(string(orZero(req.Body.Access)))
	if err != nil {
		return nil, err
	}
	t, err := h.Tokens.Exchange(ctx, by, org, access)
	if err != nil {
		return nil, err
	}
	return gen.CreateToken200JSONResponse{
		Body:    toToken(t, h.Config.TemporalAddress),
		Headers: gen.CreateToken200ResponseHeaders{CacheControl: noStoreValue},
	}, nil
}
