package httpapi

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"net/http"
)

// GitHubKeys are the public keys with which GitHub signs the reports of its secret
// scanning. Without any no report is taken.
type GitHubKeys []gitHubKey

type gitHubKey struct {
	id  string // "": any
	key *ecdsa.PublicKey
}

// ParseGitHubKeys reads keys: GitHub's own document
// (https://api.github.com/meta/public_keys/secret_scanning), or public keys as
// PEM.
func ParseGitHubKeys(text []byte) (GitHubKeys, error) {
	text = bytes.TrimSpace(text)
	if !bytes.HasPrefix(text, []byte("{")) {
		return parsePEMKeys("", text)
	}
	var document struct {
		PublicKeys []struct {
			ID  string `json:"key_identifier"`
			Key string `json:"key"`
		} `json:"public_keys"`
	}
	if err := json.Unmarshal(text, &document); err != nil {
		return nil, fmt.Errorf("GitHub's public keys: %w", err)
	}
	var all GitHubKeys
	for _, k := range document.PublicKeys {
		keys, err := parsePEMKeys(k.ID, []byte(k.Key))
		if err != nil {
			return nil, err
		}
		all = append(all, keys...)
	}
	if len(all) == 0 {
		return nil, errors.New("GitHub's public keys: the document holds none")
	}
	return all, nil
}

func parsePEMKeys(id string, text []byte) (GitHubKeys, error) {
	var keys GitHubKeys
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("GitHub's public keys: %w", err)
		}
		key, ok := parsed.(*ecdsa.PublicKey)
		if !ok || key.Curve != elliptic.P256() {
			return nil, errors.New("GitHub's public keys: a key is not one of ECDSA on P-256")
		}
		keys = append(keys, gitHubKey{id: id, key: key})
	}
	if len(keys) == 0 {
		return nil, errors.New("GitHub's public keys: there is no PEM block")
	}
	return keys, nil
}

// verify tells whether one of the keys has signed the body.
func (keys GitHubKeys) verify(id, signature string, body []byte) bool {
	raw, err := base64.StdEncoding.DecodeString(signature)
	if err != nil || id == "" {
		return false
	}
	sum := sha256.Sum256(body)
	for _, k := range keys {
		if (k.id == "" || k.id == id) && ecdsa.VerifyASN1(k.key, sum[:], raw) {
			return true
		}
	}
	return false
}

// The headers of a signed report.
const (
	gitHubKeyID     = "Github-Public-Key-Identifier"
	gitHubSignature = "Github-Public-Key-Signature"
)

// signed lets an operation that must be signed be reached by nobody else. To them
// it does not exist, whatever they sent: nothing of the request is judged before
// its signature.
func (s *Server) signed(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !exchangeOf(r.Context()).endpoint.signed {
			next.ServeHTTP(w, r)
			return
		}
		id, signature := r.Header[gitHubKeyID], r.Header[gitHubSignature]
		if len(s.config.GitHubKeys) == 0 || len(id) != 1 || len(signature) != 1 {
			fail(w, r, errNoRoute)
			return
		}
		body, err := readBody(r, s.config.MaxBody)
		if err != nil || !s.config.GitHubKeys.verify(id[0], signature[0], body) {
			fail(w, r, errNoRoute)
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		next.ServeHTTP(w, r)
	})
}
