package httpapi

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"encoding/pem"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/adapters/httpapi/internal/gen"
	"github.com/bulkheadhq/bulkhead/core/apikey"
)

const (
	verifyURL = "/api/v0/auth/verify"
	gitHubURL = "/api/v0/secret-scanning/github"
)

// anyVersion makes a change that is meant for any version.
func anyVersion(r *http.Request) *http.Request {
	r.Header.Set("If-Match", "*")
	return r
}

func publicPEM(key *ecdsa.PrivateKey) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: must(x509.MarshalPKIXPublicKey(&key.PublicKey))})
}

// signedBy signs a request's body as GitHub does.
func signedBy(key *ecdsa.PrivateKey, r *http.Request) *http.Request {
	body := must(io.ReadAll(r.Body))
	r.Body = io.NopCloser(bytes.NewReader(body))
	sum := sha256.Sum256(body)
	r.Header.Set("Github-Public-Key-Identifier", "one")
	r.Header.Set("Github-Public-Key-Signature", base64.StdEncoding.EncodeToString(must(ecdsa.SignASN1(rand.Reader, key, sum[:]))))
	return r
}

func TestSecretScanning(t *testing.T) {
	t.Parallel()
	report := func(tokens ...string) string {
		var items []map[string]string
		for _, token := range tokens {
			items = append(items, map[string]string{"token": token, "type": "bulkhead_api_key", "url": "https://github.com/a/b", "source": "content"})
		}
		return string(must(json.Marshal(items)))
	}

	t.Run("Should revoke what is a key, and say of each what it is without repeating it", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		other := must(apikey.NewSecret(rand.Reader)).Reveal()
		w := b.do(signedBy(b.github, request("POST", gitHubURL, "", report(b.admin, other, "noise"))))
		is.Equal(w.Code, http.StatusOK)
		got := decode[gen.GitHubLabels](t, w)
		for i, token := range []string{b.admin, other, "noise"} {
			sum := sha256.Sum256([]byte(token))
			is.Equal(got[i].TokenHash, hex.EncodeToString(sum[:]))
			is.Equal(got[i].TokenType, "bulkhead_api_key")
		}
		is.Equal([]gen.GitHubLabelsLabel{got[0].Label, got[1].Label, got[2].Label},
			[]gen.GitHubLabelsLabel{gen.TruePositive, gen.FalsePositive, gen.FalsePositive})
		is.True(!strings.Contains(w.Body.String()+b.log.String(), b.admin[12:40]))
	})

	t.Run("Should not exist for anybody but GitHub, whatever they send", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		stranger := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
		good := func() *http.Request { return signedBy(b.github, request("POST", gitHubURL, "", report(b.admin))) }
		altered := good()
		altered.Body = io.NopCloser(strings.NewReader(report(b.operator)))
		unnamed, twice, garbage := good(), good(), good()
		unnamed.Header.Del("Github-Public-Key-Identifier")
		twice.Header.Add("Github-Public-Key-Signature", "x")
		garbage.Header.Set("Github-Public-Key-Signature", "!")
		nowhere := b.do(request("POST", "/api/v0/secret-scanning/nobody", "", ""))
		for name, r := range map[string]*http.Request{
			"unsigned": request("POST", gitHubURL, "", report(b.admin)), "with a key": request("POST", gitHubURL, b.operator, report(b.admin)),
			"signed by a stranger": signedBy(stranger, request("POST", gitHubURL, "", report(b.admin))),
			"altered":              altered, "unnamed": unnamed, "twice": twice, "garbage": garbage,
			"no JSON": request("POST", gitHubURL, "", "{"), "empty": request("POST", gitHubURL, "", ""),
		} {
			w := b.do(r)
			t.Log(name)
			is.Equal(w.Code, http.StatusNotFound)
			is.Equal(strings.ReplaceAll(w.Body.String(), b.problem(w).RequestID, ""), strings.ReplaceAll(nowhere.Body.String(), b.problem(nowhere).RequestID, ""))
		}
		b.server.config.GitHubKeys = nil // nobody is configured
		is.Equal(b.do(good()).Code, http.StatusNotFound)
	})

	t.Run("Should read GitHub's own document, and take a key for no other's name", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		key := must(ecdsa.GenerateKey(elliptic.P256(), rand.Reader))
		document := must(json.Marshal(map[string]any{"public_keys": []map[string]any{{"key_identifier": "two", "key": string(publicPEM(key)), "is_current": true}}}))
		b := setup(t)
		b.server.config.GitHubKeys = must(ParseGitHubKeys(document))
		is.Equal(b.do(signedBy(key, request("POST", gitHubURL, "", report("x")))).Code, http.StatusNotFound)
		r := signedBy(key, request("POST", gitHubURL, "", report("x")))
		r.Header.Set("Github-Public-Key-Identifier", "two")
		is.Equal(b.do(r).Code, http.StatusOK)
		weak := must(ecdsa.GenerateKey(elliptic.P224(), rand.Reader))
		for _, bad := range [][]byte{nil, []byte("{"), []byte(`{"public_keys":[]}`), []byte("x"), publicPEM(weak), []byte("-----BEGIN X-----\nAA==\n-----END X-----\n")} {
			_, err := ParseGitHubKeys(bad)
			is.True(err != nil)
		}
	})
}

func TestVerify(t *testing.T) {
	t.Parallel()

	t.Run("Should answer for another organization's key as for none, byte for byte", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		bodies := map[string]bool{}
		for _, key := range []string{b.operator, must(apikey.NewSecret(rand.Reader)).Reveal(), "bhk_x", "nothing"} {
			w := b.do(request("POST", verifyURL, b.admin, `{"key":"`+key+`"}`))
			is.Equal(w.Code, http.StatusOK)
			bodies[w.Body.String()] = true
		}
		is.Equal(len(bodies), 1)
		is.True(bodies[`{"code":"NOT_FOUND","valid":false}`+"\n"])
		w := b.do(request("POST", verifyURL, b.operator, `{"key":"`+b.admin+`"}`)) // an operator learns of any
		is.Equal(decode[gen.Verification](t, w).Code, gen.VALID)
	})

	t.Run("Should say whose key it is and what it may do", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		v := decode[gen.Verification](t, b.call("verifyAPIKey"))
		is.True(v.Valid)
		is.Equal([]string{v.Actor.APIKeyID, *v.Actor.UserID, v.Actor.Role, v.Organization.Slug}, []string{b.key.Snapshot().ID.String(), b.ada.ID().String(), "admin", "acme"})
		is.Equal(*v.Permissions, b.ada.Role().Permissions().Names())
		w := b.do(request("POST", verifyURL, b.admin, `{"key":"`+b.admin+`","permissions":["organizations:create"]}`))
		is.Equal(decode[gen.Verification](t, w).Code, gen.FORBIDDEN)
	})

	t.Run("Should name what it can not read", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		for body, want := range map[string]string{
			`{"key":"x","ip":"1.2.3"}`: "/ip format", `{"key":"x","permissions":["users:read","users:fly"]}`: "/permissions/1 enum",
			`{"key":"x","cost":1001}`: "/cost range", `{}`: "/key required",
		} {
			w := b.do(request("POST", verifyURL, b.admin, body))
			is.Equal(w.Code, http.StatusBadRequest)
			is.Equal(field(b.problem(w)), want)
		}
	})
}

func TestAPIKeyChanges(t *testing.T) {
	t.Parallel()

	t.Run("Should change what was read, and nothing that has changed since", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		target := keysURL + "/" + b.key.Snapshot().ID.String()
		tag := b.do(request("GET", target, b.admin, "")).Header().Get("ETag")
		is.True(tag != "")
		is.Equal(b.do(request("PATCH", target, b.admin, `{"name":"x"}`)).Code, http.StatusPreconditionRequired)
		is.Equal(b.do(request("DELETE", target, b.admin, "")).Code, http.StatusPreconditionRequired)
		r := request("PATCH", target, b.admin, `{"name":"x"}`)
		r.Header.Set("If-Match", tag)
		w := b.do(r)
		is.Equal(w.Code, http.StatusOK)
		is.True(w.Header().Get("ETag") != tag)
		b.change(&b.key, func(k *apikey.Key) { is.NoErr(k.Disable(now)) }) // somebody else
		r = request("PATCH", target, b.admin, `{"name":"y"}`)
		r.Header.Set("If-Match", tag)
		is.Equal(b.do(r).Code, http.StatusPreconditionFailed)
	})

	t.Run("Should bind a cursor to its filters", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		page := decode[gen.APIKeyList](t, b.do(request("GET", keysURL+"?limit=1&state=active", b.admin, "")))
		is.True(page.NextCursor != nil)
		is.Equal(b.do(request("GET", keysURL+"?state=active&cursor="+*page.NextCursor, b.admin, "")).Code, http.StatusOK)
		for _, other := range []string{"", "state=disabled&", "state=active&expires_soon=true&", "state=active&user=" + b.ada.ID().String() + "&"} {
			is.Equal(b.do(request("GET", keysURL+"?"+other+"cursor="+*page.NextCursor, b.admin, "")).Code, http.StatusBadRequest)
		}
	})

	t.Run("Should not let expires_at and never_expires contradict each other", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		b := setup(t)
		r := anyVersion(request("PATCH", keysURL+"/"+b.key.Snapshot().ID.String(), b.admin, `{"never_expires":true,"expires_at":"2030-01-01T00:00:00Z"}`))
		is.Equal(field(b.problem(b.do(r))), "/never_expires conflict")
	})
}
