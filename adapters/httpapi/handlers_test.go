package httpapi

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/api"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/operation"
	"github.com/bulkheadhq/bulkhead/core/org"
)

// decode reads the body of an answer.
func decode[T any](t *testing.T, w *httptest.ResponseRecorder) T {
	t.Helper()
	var v T
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil {
		t.Fatalf("%v: %s", err, w.Body)
	}
	return v
}

func TestAnswers(t *testing.T) {
	t.Parallel()
	doc := must(openapi3.NewLoader().LoadFromData(api.Document))

	for _, item := range doc.Paths.Map() {
		for _, declared := range item.Operations() {
			t.Run("Should be as the contract says: "+declared.OperationID, func(t *testing.T) {
				t.Parallel()
				is := is.New(t)
				b := setup(t, pinger{name: "postgres"})

				r := b.calls()[declared.OperationID]
				is.True(r != nil) // every operation has a request here
				w := b.do(r)
				response := declared.Responses.Value(strconv.Itoa(w.Code))
				is.True(w.Code < 300 && response != nil)
				if w.Code == http.StatusNoContent {
					is.Equal(w.Body.Len(), 0)
					return
				}
				media := w.Header().Get("Content-Type")
				content := response.Value.Content[media]
				is.True(content != nil) // the document knows the media type
				if media == ndjsonMedia {
					for line := range strings.Lines(w.Body.String()) {
						var v any
						is.NoErr(json.Unmarshal([]byte(line), &v))
						is.NoErr(content.Schema.Value.VisitJSON(v))
					}
				} else {
					is.NoErr(content.Schema.Value.VisitJSON(decode[any](t, w)))
				}
				for name, header := range response.Value.Headers {
					is.True(w.Header().Get(name) != "" || !header.Value.Required)
				}
			})
		}
	}

	t.Run("Should name the version of an API key in its answers and in their headers alike", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		shown := b.call("getAPIKey")
		tag := decode[gen.APIKey](t, shown).Etag
		is.Equal(shown.Header().Get("ETag"), tag)
		r := b.calls()["updateAPIKey"]
		r.Header.Set("If-Match", tag)
		changed := b.do(r)
		is.Equal(changed.Code, http.StatusOK)
		is.Equal(changed.Header().Get("ETag"), decode[gen.APIKey](t, changed).Etag)
		is.True(changed.Header().Get("ETag") != tag)
		made := b.call("createAPIKey")
		is.Equal(made.Header().Get("ETag"), decode[gen.APIKeyCreated](t, made).APIKey.Etag)
		tags := map[string]bool{}
		for _, k := range decode[gen.APIKeyList](t, b.call("listAPIKeys")).Items {
			tags[k.Etag] = true
		}
		is.True(len(tags) > 1 && !tags[""])
	})

	t.Run("Should know nothing of another tenant, whatever is asked", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		is.NoErr(reads{memory: b.memory}.add("globex"))

		bodies := map[string]bool{}
		for operationID, r := range b.calls() {
			if !strings.HasPrefix(r.URL.Path, acmeURL) {
				continue
			}
			for _, name := range []string{"globex", "nothere", id.New[id.OrgKind]().String(), id.SystemOrg.String()} {
				again := b.calls()[operationID]
				again.URL.Path = strings.Replace(again.URL.Path, "/acme", "/"+name, 1)
				again.Header.Set("Authorization", "Bearer "+b.admin)
				w := b.do(again)
				is.Equal(w.Code, http.StatusNotFound) // absent and foreign are one
				bodies[strings.ReplaceAll(w.Body.String(), b.problem(w).RequestID, "")] = true
			}
		}
		for _, r := range []*http.Request{
			request("GET", usersURL+"/"+id.New[id.UserKind]().String(), b.admin, ""),
			request("GET", keysURL+"/"+id.New[id.APIKeyKind]().String(), b.admin, ""),
			request("GET", "/api/v0/operations/"+id.New[id.OperationKind]().String(), b.admin, ""),
			request("POST", tokenURL, b.admin, `{"organization":"globex"}`),
		} {
			w := b.do(r)
			is.Equal(w.Code, http.StatusNotFound)
			bodies[strings.ReplaceAll(w.Body.String(), b.problem(w).RequestID, "")] = true
		}
		is.Equal(len(bodies), 1) // byte for byte
	})
}

// add adds an active organization.
func (r reads) add(slug string) error {
	o := must(org.New(org.Spec{ID: id.New[id.OrgKind](), Slug: must(org.ParseSlug(slug))}, now))
	must(o.Activate(now))
	return add(r.memory, &r.orgs, o)
}

func TestIdentity(t *testing.T) {
	t.Parallel()

	t.Run("Should say who is asking", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)

		got := decode[gen.Actor](t, b.call("getWhoami"))
		is.Equal(got.Organization, gen.OrganizationRef{ID: b.acme.Snapshot().ID.String(), Slug: "acme"})
		is.Equal(*got.UserID, b.ada.Snapshot().ID.String())
		is.Equal(*got.APIKeyID, b.key.Snapshot().ID.String())
		is.Equal(got.Role, "admin")
		is.Equal(got.Kind, gen.ActorKindUser)
	})

	t.Run("Should give a token for the key's own organization unless another is named", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		want := "jwt " + b.acme.Snapshot().Namespace

		is.Equal(decode[gen.Token](t, b.call("createToken")).Token, want+":write")
		is.Equal(decode[gen.Token](t, b.do(request("POST", tokenURL, b.operator, `{"organization":"acme","access":"read"}`))).Token, want+":read")
		is.Equal(b.do(request("POST", tokenURL, b.operator, `{}`)).Code, http.StatusConflict) // nobody gets the system's
		is.Equal(b.call("createToken").Header().Get("Cache-Control"), "no-store")
	})
}

func TestOrganizations(t *testing.T) {
	t.Parallel()

	create := func(b *bundle, prefer ...string) *httptest.ResponseRecorder {
		r := b.calls()["createOrganization"]
		for _, p := range prefer {
			r.Header.Add("Prefer", p)
		}
		return b.do(r)
	}

	t.Run("Should say where the new organization is", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)

		w := create(b)
		made := decode[gen.OrganizationCreated](t, w)
		is.Equal(w.Header().Get("Location"), orgsURL+"/"+made.Organization.ID)
		is.Equal(made.Organization.State, gen.OrganizationStateProvisioning)
		is.Equal(made.Operation.State, gen.OperationStatePending)
		is.Equal(made.Admin.Role, "admin")
		is.Equal(w.Header().Get("Preference-Applied"), "")
		is.Equal(b.do(request("GET", w.Header().Get("Location"), b.operator, "")).Code, http.StatusOK)
		is.Equal(create(b).Code, http.StatusConflict)
	})

	t.Run("Should wait as the client prefers and answer with what has become", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		b.memory.asked = make(chan struct{})

		answers := make(chan *httptest.ResponseRecorder)
		go func() { answers <- create(b, "respond-async, wait=60") }()
		<-b.memory.asked // it waits: the namespace gets ready meanwhile
		b.memory.mu.Lock()
		must(b.memory.orgs[len(b.memory.orgs)-1].Activate(now))
		if err := b.memory.operations[len(b.memory.operations)-1].Succeed(operation.OrganizationActivated, now); err != nil {
			t.Error(err)
		}
		b.memory.mu.Unlock()
		w := <-answers
		made := decode[gen.OrganizationCreated](t, w)
		is.Equal(w.Code, http.StatusCreated)
		is.Equal(w.Header().Get("Preference-Applied"), "wait=60")
		is.Equal(made.Organization.State, gen.OrganizationStateActive)
		is.Equal(made.Operation.State, gen.OperationStateSucceeded)
	})

	t.Run("Should refuse a preference that can not be met before it creates anything", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)

		before := len(b.memory.orgs)
		w := create(b, "wait=61")
		is.Equal(w.Code, http.StatusBadRequest)
		is.Equal(field(b.problem(w)), "Prefer range")
		is.Equal(len(b.memory.orgs), before)
	})
}

func TestLists(t *testing.T) {
	t.Parallel()

	t.Run("Should go on where the page before ended, to the end", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		for _, name := range []string{"u1", "u2"} {
			is.Equal(b.do(request("POST", usersURL, b.admin, `{"email":"`+name+`@acme.example","role":"viewer"}`)).Code, http.StatusCreated)
		}

		var emails []string
		target := usersURL + "?limit=2"
		for target != "" {
			w := b.do(request("GET", target, b.admin, ""))
			is.Equal(w.Code, http.StatusOK)
			p := decode[gen.UserList](t, w)
			for _, u := range p.Items {
				emails = append(emails, *u.Email)
			}
			target = ""
			if p.NextCursor != nil {
				target = usersURL + "?limit=2&cursor=" + *p.NextCursor
			}
		}
		is.Equal(emails, []string{"ada@acme.example", "u1@acme.example", "u2@acme.example"})
	})

	t.Run("Should refuse the cursor of another list, organization or deployment", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		is.NoErr(reads{memory: b.memory}.add("globex"))

		is.Equal(b.call("createUser").Code, http.StatusCreated)
		ofUsers := *decode[gen.UserList](t, b.do(request("GET", usersURL+"?limit=1", b.admin, ""))).NextCursor
		is.Equal(b.do(request("GET", usersURL+"?cursor="+ofUsers, b.operator, "")).Code, http.StatusOK)
		is.Equal(b.do(request("GET", keysURL+"?cursor="+ofUsers, b.operator, "")).Code, http.StatusBadRequest)
		is.Equal(b.do(request("GET", orgsURL+"/globex/users?cursor="+ofUsers, b.operator, "")).Code, http.StatusBadRequest)
		cursor := *decode[gen.OrganizationList](t, b.do(request("GET", orgsURL+"?limit=1", b.operator, ""))).NextCursor
		is.Equal(b.do(request("GET", orgsURL+"?cursor="+cursor, b.operator, "")).Code, http.StatusOK)
		for _, target := range []string{usersURL + "?cursor=" + cursor, keysURL + "?cursor=" + cursor, orgsURL + "?cursor=" + cursor[1:], orgsURL + "?cursor=B" + cursor[1:]} {
			w := b.do(request("GET", target, b.operator, ""))
			is.Equal(w.Code, http.StatusBadRequest)
			is.Equal(b.problem(w).Code, "request.cursor_invalid")
		}
	})
}

func TestAPIKeys(t *testing.T) {
	t.Parallel()

	t.Run("Should show the secret once, and keep it nowhere", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)

		w := b.call("createAPIKey")
		made := decode[gen.APIKeyCreated](t, w)
		is.True(strings.HasPrefix(made.Secret, "bhk_") && len(made.Secret) == 53)
		is.Equal(w.Header().Get("Cache-Control"), "no-store")
		shown := b.do(request("GET", w.Header().Get("Location"), b.admin, ""))
		is.Equal(shown.Code, http.StatusOK)
		is.True(!strings.Contains(shown.Body.String(), made.Secret))
		is.True(!strings.Contains(b.call("listAPIKeys").Body.String(), made.Secret))
		is.True(!strings.Contains(b.log.String(), made.Secret))
	})

	t.Run("Should name an identifier that can not exist", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)

		never := strings.Repeat("u", 26) // of the right form, and no base32
		for target, want := range map[string]string{
			usersURL + "/usr_" + never: "user format", keysURL + "/key_" + never: "api_key format", "/api/v0/operations/op_" + never: "operation format",
		} {
			w := b.do(request("GET", target, b.admin, ""))
			is.Equal(w.Code, http.StatusBadRequest)
			is.Equal(field(b.problem(w)), want)
		}
		w := b.do(request("POST", keysURL, b.admin, `{"name":"ci","user_id":"usr_`+never+`"}`))
		is.Equal(field(b.problem(w)), "/user_id format")
	})
}

func TestWorkflows(t *testing.T) {
	t.Parallel()

	t.Run("Should reach Temporal with an id as the client means it", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)

		for sent, want := range map[string]string{
			"order%2F123": "order/123", "order%252F123": "order%2F123", "order+1": "order+1", "order%201": "order 1", "%C3%A9": "é", "a%2F%2Fb%3Fc": "a//b?c", "..": "..",
		} {
			is.Equal(b.do(request("GET", flowsURL+"/"+sent, b.admin, "")).Code, http.StatusOK)
			is.Equal(b.memory.described, [3]string{b.acme.Snapshot().Namespace, want, ""})
		}
		run := "01890000-0000-7000-8000-000000000000"
		is.Equal(b.do(request("GET", flowsURL+"/a?run_id="+run, b.admin, "")).Code, http.StatusOK)
		is.Equal(b.memory.described[2], run)
	})

	t.Run("Should pass on arguments as they were sent, and say where the execution is", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)

		w := b.do(request("POST", flowsURL, b.admin,
			`{"workflow_id":"order/1 é","type":"Order","task_queue":"orders","input":[null,9007199254740993,{"b":1,"a":2}],"run_timeout_seconds":5}`))
		is.Equal(w.Code, http.StatusCreated)
		is.Equal(w.Header().Get("Location"), orgsURL+"/"+b.acme.Snapshot().ID.String()+"/workflows/order%2F1%20%C3%A9")
		is.Equal(b.memory.started.RunTimeout, 5*time.Second)
		var input []string
		for _, argument := range b.memory.started.Input {
			input = append(input, string(argument))
		}
		is.Equal(input, []string{"null", "9007199254740993", `{"b":1,"a":2}`})
		is.Equal(b.do(request("GET", w.Header().Get("Location"), b.admin, "")).Code, http.StatusOK)
		is.Equal(b.memory.described[1], "order/1 é")
	})

	t.Run("Should refuse what the schema takes for an integer and Go does not", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)

		for _, n := range []string{"1.0", "1e2"} {
			w := b.do(request("POST", flowsURL, b.admin, `{"type":"T","task_queue":"q","run_timeout_seconds":`+n+`}`))
			is.Equal(w.Code, http.StatusBadRequest)
			is.Equal(field(b.problem(w)), "/run_timeout_seconds type")
		}
	})

	t.Run("Should say that an execution still runs when the process goes", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		b.server.SetDraining()

		w := b.do(request("GET", flowsURL+"/a/result?wait=60", b.admin, ""))
		is.Equal(decode[gen.WorkflowResult](t, w).Status, gen.WorkflowStatusRunning)
	})
}

func TestHealth(t *testing.T) {
	t.Parallel()

	away := errors.New("dial tcp 10.0.0.7:5432: connection refused")
	for _, c := range []struct {
		name    string
		pingers []pinger
		want    int
		body    string
	}{
		{"all answer", []pinger{{"postgres", nil}, {"temporal", nil}}, 200, `{"checks":{"postgres":"ok","temporal":"ok"},"status":"ok"}`},
		{"Temporal is away", []pinger{{"temporal", away}, {"postgres", nil}}, 200, `{"checks":{"postgres":"ok","temporal":"unavailable"},"status":"degraded"}`},
		{"Postgres is away", []pinger{{"postgres", away}, {"temporal", nil}}, 503, `{"checks":{"postgres":"unavailable","temporal":"ok"},"status":"unavailable"}`},
		{"both are away", []pinger{{"postgres", away}, {"temporal", away}}, 503, `{"checks":{"postgres":"unavailable","temporal":"unavailable"},"status":"unavailable"}`},
	} {
		t.Run("Should tell readiness when "+c.name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			b := setup(t)
			h := &handlers{Deps: Deps{Log: b.server.log, Config: b.server.config}, drain: b.server.drain}
			for _, p := range c.pingers {
				h.Pingers = append(h.Pingers, p)
			}

			response, err := h.GetReadiness(t.Context(), gen.GetReadinessRequestObject{})
			is.NoErr(err)
			w := httptest.NewRecorder()
			is.NoErr(response.VisitGetReadinessResponse(w))
			is.Equal(w.Code, c.want)
			is.Equal(strings.TrimSpace(w.Body.String()), c.body) // and no word of why
			is.Equal(strings.Contains(b.log.String(), "10.0.0.7"), strings.Contains(c.body, "unavailable"))
		})
	}

	t.Run("Should let caches keep the public keys, and nothing else", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)

		w := b.call("getKeySet")
		is.Equal(w.Header().Get("Cache-Control"), "public, max-age=60")
		is.Equal(w.Body.String(), `{"keys":[{"kid":"k"}]}`)
		is.Equal(b.call("getVersion").Header().Get("Cache-Control"), "no-store")
	})
}
