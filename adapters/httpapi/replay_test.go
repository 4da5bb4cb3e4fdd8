package httpapi

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/idempotency"
	"github.com/bulkheadhq/bulkhead/core/org"
)

// appoint gives ada another role.
func (b *bundle) appoint(r authz.Role) {
	for hash, c := range b.memory.credentials {
		if c.Org == b.acme.ID() {
			c.UserRole = r
			b.memory.credentials[hash] = c
		}
	}
}

// helped is a role of acme's own that may do this.
func helped(ps ...authz.Permission) authz.Role {
	return authz.NewCustomRole(id.New[id.RoleKind](), "helper", authz.SetOf(ps...))
}

func TestReplay(t *testing.T) {
	t.Parallel()
	post := func(b *bundle, url, body string) *httptest.ResponseRecorder {
		return b.do(keyed(request("POST", url, b.admin, body), "k1"))
	}
	const ci = `{"name":"ci","scopes":["users:read"]}`

	for name, c := range map[string]struct {
		url, body string
		role      authz.Role
		code      string
	}{
		"an operation's permission":             {keysURL, ci, authz.Manager, "auth.forbidden"},
		"the power that was given away":         {keysURL, ci, helped(authz.APIKeysCreate), "auth.power_exceeded"},
		"a permission that the body asks for":   {flowsURL, `{"type":"Order","task_queue":"orders","signal":{"name":"go"}}`, helped(authz.WorkflowsStart), "auth.forbidden"},
		"the permission of one of many changes": {usersURL + "/bulk", `{"operations":[{"op":"add","email":"eve@acme.example","role":"viewer"},{"op":"remove","user_id":"usr_00000000000000000000000001"}]}`, helped(authz.UsersCreate), "auth.forbidden"},
		"a rank above somebody who was changed": {"bob/suspend", `{"reason":"leave"}`, helped(authz.UsersSuspend), "auth.power_exceeded"},
	} {
		t.Run("Should show a stored answer to nobody who has lost "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			b := setup(t)
			bob, _ := b.addPeople()
			url := strings.Replace(c.url, "bob/", bob+"/", 1)

			first := post(b, url, c.body)
			is.True(first.Code < 300)
			b.appoint(c.role)
			fresh := b.do(keyed(request("POST", url, b.admin, c.body), "k2"))
			w := post(b, url, c.body)
			is.Equal(w.Code, http.StatusForbidden)
			is.Equal(b.problem(w).Code, c.code)
			is.Equal(b.problem(fresh).Code, c.code) // as the first request would be answered
			is.Equal(w.Header().Get("Idempotency-Replayed"), "")
			is.Equal(w.Header().Get("Location"), "")

			b.appoint(authz.Admin)
			is.Equal(post(b, url, c.body).Body.String(), first.Body.String())
		})
	}

	t.Run("Should go on showing it to who has lost something else", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		first := post(b, keysURL, ci)
		b.appoint(helped(authz.APIKeysCreate, authz.UsersRead))
		is.Equal(post(b, keysURL, ci).Body.String(), first.Body.String())
	})

	t.Run("Should take an answer that does not say what it needed for lost", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		post(b, keysURL, ci)
		for _, r := range b.requests.every() {
			text := must(vault{}.Open(r.Answer.Sealed, 3, belonging(r.token.Request)))
			text = []byte(strings.Split(string(text), `,"grants"`)[0] + "}") // as releases before this one kept it
			r.Answer.Sealed, r.Answer.SealedBy = vault{}.Seal(text, belonging(r.token.Request))
		}
		w := post(b, keysURL, ci)
		is.Equal(w.Code, http.StatusConflict)
		is.Equal(b.problem(w).Code, "request.answer_lost")
	})
}

func TestRequestNames(t *testing.T) {
	t.Parallel()
	const ci = `{"name":"ci","scopes":["users:read"]}`
	byID := func(b *bundle) string { return orgsURL + "/" + b.acme.ID().String() + "/api-keys" }

	t.Run("Should take the slug and the id of an organization for one request", func(t *testing.T) {
		t.Parallel()
		for name, key := range map[string]func(*bundle) string{
			"a tenant's": func(b *bundle) string { return b.admin }, "an operator's": func(b *bundle) string { return b.operator },
		} {
			t.Run("Should do so with "+name+" key", func(t *testing.T) {
				t.Parallel()
				is := is.New(t)
				b := setup(t)
				before := len(b.memory.keys)
				first := b.do(keyed(request("POST", keysURL, key(b), ci), "k1"))
				is.Equal(first.Code, http.StatusCreated)
				again := b.do(keyed(request("POST", byID(b), key(b), ci), "k1"))
				is.Equal(again.Body.String(), first.Body.String())
				is.Equal(again.Header().Get("Idempotency-Replayed"), "true")
				is.Equal(len(b.memory.keys), before+1)

				other := b.do(keyed(request("POST", byID(b), key(b), `{"name":"cd","scopes":["users:read"]}`), "k1"))
				is.Equal(other.Code, http.StatusUnprocessableEntity)
			})
		}
	})

	t.Run("Should take a slug that another organization has got for another request", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		is.Equal(b.do(keyed(request("POST", keysURL, b.operator, ci), "k1")).Code, http.StatusCreated)

		later := must(org.New(org.Spec{ID: id.New[id.OrgKind](), Slug: must(org.ParseSlug("acme")), Name: "Acme"}, now))
		must(later.Activate(now))
		b.memory.orgs = []org.Org{later} // acme itself has another slug by now
		w := b.do(keyed(request("POST", keysURL, b.operator, ci), "k1"))
		is.Equal(w.Code, http.StatusCreated)
		is.Equal(w.Header().Get("Idempotency-Replayed"), "")
	})

	t.Run("Should claim nothing for an organization that is not found", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		w := b.do(keyed(request("POST", orgsURL+"/nobody/api-keys", b.admin, ci), "k1"))
		is.Equal(w.Code, http.StatusNotFound)
		is.Equal(len(b.requests.every()), 0)
	})

	t.Run("Should take a value for the same however it is encoded, and another for another", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		names := map[idempotency.Request]bool{}
		for _, workflow := range []string{"a-b", "a%2Db", "a%2Fb", "a%2fb"} {
			is.Equal(b.do(keyed(request("POST", flowsURL+"/"+workflow+"/signal", b.admin, `{"name":"go"}`), "k1")).Code, http.StatusNoContent)
		}
		for _, r := range b.requests.every() {
			names[r.token.Request] = true
		}
		is.Equal(len(names), 2)
	})
}
