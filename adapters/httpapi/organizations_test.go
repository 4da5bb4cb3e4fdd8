package httpapi

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
)

func TestOrganizationLife(t *testing.T) {
	t.Parallel()
	tagOf := func(t *testing.T, b *bundle) string {
		t.Helper()
		w := b.call("getOrganization")
		if w.Header().Get("ETag") != decode[gen.Organization](t, w).Etag {
			t.Error("the header and the body name different versions")
		}
		return w.Header().Get("ETag")
	}
	change := func(b *bundle, key, tag, body string) *httptest.ResponseRecorder {
		r := request("PATCH", acmeURL, key, body)
		if tag != "" {
			r.Header.Set("If-Match", tag)
		}
		return b.do(r)
	}

	t.Run("Should count what belongs to it where it is shown alone", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)

		o := decode[gen.Organization](t, b.do(request("GET", acmeURL, b.admin, "")))
		is.Equal(*o.MemberCount, int32(1))
		is.Equal(*o.APIKeyCount, int32(3))
		is.Equal(o.NamespaceState, gen.OrganizationNamespaceStateReady)
		for _, listed := range decode[gen.OrganizationList](t, b.call("listOrganizations")).Items {
			is.True(listed.MemberCount == nil)
		}
	})

	t.Run("Should change what was read, and nothing that has changed since", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)

		tag := tagOf(t, b)
		is.Equal(change(b, b.admin, "", `{"name":"A"}`).Code, http.StatusPreconditionRequired)
		w := change(b, b.admin, tag, `{"name":"A","metadata":{"plan":"gold"},"settings":{"deletion_grace_days":3},"deletion_protected":true}`)
		is.Equal(w.Code, http.StatusOK)
		is.True(w.Header().Get("ETag") != tag)
		is.Equal(w.Header().Get("ETag"), tagOf(t, b))
		is.Equal(change(b, b.admin, tag, `{"name":"B"}`).Code, http.StatusPreconditionFailed)
		o := decode[gen.Organization](t, b.call("getOrganization"))
		is.Equal(o.Name, "A")
		is.Equal(o.Metadata, gen.Metadata{"plan": "gold"})
		is.Equal(*o.Settings.DeletionGraceDays, int32(3))
		is.True(o.DeletionProtected)

		w = change(b, b.admin, tagOf(t, b), `{"metadata":{},"settings":{},"deletion_protected":false}`)
		o = decode[gen.Organization](t, w)
		is.Equal(o.Metadata, gen.Metadata{})
		is.True(o.Settings.DeletionGraceDays == nil)
		is.True(!o.DeletionProtected)
		is.Equal(o.Name, "A") // what is not named stays
	})

	t.Run("Should leave the slug to operators", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)

		is.Equal(change(b, b.admin, "*", `{"slug":"acme-2"}`).Code, http.StatusForbidden)
		is.Equal(change(b, b.operator, "*", `{"slug":"acme-2"}`).Code, http.StatusOK)
	})

	t.Run("Should delete only what the confirmation names", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)

		remove := func(key, query string) *httptest.ResponseRecorder {
			r := request("DELETE", acmeURL+query, key, "")
			r.Header.Set("If-Match", "*")
			return b.do(r)
		}
		for query, want := range map[string]string{
			"": "confirm required", "?confirm=acm": "confirm match", "?confirm=acme&now=yes": "now type", "?confirm=acme&now=1": "now type",
		} {
			w := remove(b.admin, query)
			is.Equal(w.Code, http.StatusBadRequest)
			is.Equal(field(b.problem(w)), want)
		}
		is.Equal(b.do(request("DELETE", acmeURL+"?confirm=acme", b.admin, "")).Code, http.StatusPreconditionRequired)
		is.Equal(remove(b.admin, "?confirm=acme&now=true").Code, http.StatusForbidden) // the grace is not a tenant's to end
		w := remove(b.admin, "?confirm=acme")
		is.Equal(w.Code, http.StatusAccepted)
		d := decode[gen.OrganizationDeletion](t, w)
		is.Equal(w.Header().Get("Location"), "/api/v0/operations/"+d.Operation.ID)
		is.Equal(d.Organization.State, gen.OrganizationStateDeleting)
		is.Equal(d.Organization.DeleteAfter.Sub(now), 7*24*time.Hour)
		is.Equal(remove(b.operator, "?confirm=acme").Code, http.StatusConflict)
		hastened := decode[gen.OrganizationDeletion](t, remove(b.operator, "?confirm=acme&now=true"))
		is.Equal(hastened.Operation.ID, d.Operation.ID)
		is.Equal(*hastened.Organization.DeleteAfter, now)
	})

	t.Run("Should bind a list's cursor to its filter and its order", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)

		cursor := *decode[gen.OrganizationList](t, b.do(request("GET", orgsURL+"?limit=1&sort=slug", b.operator, ""))).NextCursor
		is.Equal(b.do(request("GET", orgsURL+"?sort=slug&cursor="+cursor, b.operator, "")).Code, http.StatusOK)
		for _, query := range []string{"?", "?sort=-slug&", "?sort=slug&state=active&", "?sort=slug&slug_prefix=a&", "?sort=slug&metadata=a=b&"} {
			is.Equal(b.do(request("GET", orgsURL+query+"cursor="+cursor, b.operator, "")).Code, http.StatusBadRequest)
		}
		for query, want := range map[string]string{"?state=lost": "state enum", "?sort=name": "sort format", "?metadata=plan": "metadata format"} {
			w := b.do(request("GET", orgsURL+query, b.operator, ""))
			is.Equal(w.Code, http.StatusBadRequest)
			is.Equal(field(b.problem(w)), want)
		}
	})

	t.Run("Should name where to ask for another attempt at what has failed, and only there", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)

		failed := decode[gen.Operation](t, b.do(request("GET", "/api/v0/operations/"+b.failed.Snapshot().ID.String(), b.operator, "")))
		w := b.do(request("POST", *failed.Retry, b.operator, ""))
		is.Equal(w.Code, http.StatusAccepted)
		again := decode[gen.Operation](t, w)
		is.Equal(*again.RetryOf, failed.ID)
		is.True(again.Retry == nil)
		is.Equal(w.Header().Get("Location"), "/api/v0/operations/"+again.ID)
		is.Equal(b.do(request("POST", *failed.Retry, b.operator, "")).Code, http.StatusConflict) // it was tried again already
		is.Equal(b.do(request("POST", "/api/v0/operations/"+b.operation.Snapshot().ID.String()+"/retry", b.admin, "")).Code, http.StatusConflict)
		is.Equal(b.do(request("POST", *failed.Retry, b.admin, "")).Code, http.StatusNotFound) // another's
	})
}
