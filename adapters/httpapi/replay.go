package httpapi

import (
	"crypto/hmac"
	"encoding/json"
	"net/http"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/idempotency"
)

// repeat answers a request that was sent before.
func (s *Server) repeat(w http.ResponseWriter, r *http.Request, claim idempotency.Claim, fingerprint idempotency.Digest, found idempotency.Record) {
	switch {
	case !hmac.Equal(found.Fingerprint[:], fingerprint[:]):
		fail(w, r, errKeyReused.WithFields(fault.Field{Pointer: idempotencyHeader, Rule: ruleUnique, Detail: "must not be that of another request"}))
	case found.Answer.Status != 0:
		s.replay(w, r, claim, found)
	case found.Committed && found.Lapsed:
		fail(w, r, lost(found))
	default:
		fail(w, r, idempotency.ErrInProgress)
	}
}

// lost tells what the request was about whose answer is gone.
func lost(found idempotency.Record) error {
	if found.Resource == "" {
		return errAnswerLost
	}
	return errAnswerLost.WithPublic(errAnswerLost.Public + " It was about " + found.Resource + ".")
}

// replay sends the stored answer once more, to a caller who would still be allowed
// what it is the answer to: it may show a secret, and it was made for who they were.
func (s *Server) replay(w http.ResponseWriter, r *http.Request, claim idempotency.Claim, found idempotency.Record) {
	text, err := s.vault.Open(found.Answer.Sealed, found.Answer.SealedBy, belonging(claim.Request))
	if err != nil {
		fail(w, r, errAnswerLost.Because(err))
		return
	}
	var kept keptAnswer
	if err := json.Unmarshal(text, &kept); err != nil {
		fail(w, r, errAnswerLost.Because(err))
		return
	}
	if err := kept.allowed(actorOf(r.Context())); err != nil {
		fail(w, r, err)
		return
	}
	h := w.Header()
	for _, name := range keptHeaders {
		if v, ok := kept.Header[name]; ok {
			h.Set(name, v)
		}
	}
	h.Set(replayedHeader, "true")
	w.WriteHeader(found.Answer.Status)
	_, _ = w.Write(kept.Body) // the client may be gone: there is nobody left to tell
}

// belonging is what an answer is sealed for: in no other row can it be opened.
func belonging(r idempotency.Request) []byte {
	return []byte(r.Org.String() + "\n" + r.Key.String() + "\n" + r.Operation + "\n" + string(r.Name[:]))
}

// keptAnswer is the form in which an answer is kept.
type keptAnswer struct {
	Header map[string]string `json:"header"`
	Body   []byte            `json:"body"`
	Grants []authz.Grant     `json:"grants"` // what its caller was allowed for it
}

// allowed fails unless the actor may do all that led to the answer. An answer that
// does not say was kept by an older release, for a day: nobody gets to see it.
func (k keptAnswer) allowed(by authz.Actor) error {
	if k.Grants == nil {
		return errAnswerLost
	}
	return by.RequireAgain(k.Grants)
}
