package apidoc

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"net/http"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/test/harness"
)

// github stands for GitHub's secret scanning: a key that signs, and an API that
// knows it.
type github struct {
	key *ecdsa.PrivateKey
	url string
}

func newGitHub(t *testing.T, s *harness.Stack) github {
	t.Helper()
	is := is.New(t)
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	is.NoErr(err)
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	is.NoErr(err)
	public := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
	url, api := s.With(t, "BULKHEAD_GITHUB_SECRET_SCANNING_KEYS="+public)
	api.Start(t)
	return github{key, url}
}

// sign signs a request as GitHub does.
func (g github) sign(t *testing.T, r *http.Request, body string) {
	t.Helper()
	sum := sha256.Sum256([]byte(body))
	signature, err := ecdsa.SignASN1(rand.Reader, g.key, sum[:])
	is.New(t).NoErr(err)
	r.Header.Set("Github-Public-Key-Identifier", "one")
	r.Header.Set("Github-Public-Key-Signature", base64.StdEncoding.EncodeToString(signature))
}

// execute changes what no request can, and must change one row.
func execute(t *testing.T, s *harness.Stack, sql string) {
	t.Helper()
	is := is.New(t)
	conn, err := pgx.Connect(t.Context(), s.Database.AdminURL)
	is.NoErr(err)
	defer func() { _ = conn.Close(t.Context()) }()
	tag, err := conn.Exec(t.Context(), sql)
	is.NoErr(err)
	is.Equal(tag.RowsAffected(), int64(1))
}
