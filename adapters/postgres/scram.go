package postgres

import (
	"crypto/hmac"
	"crypto/pbkdf2"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
)

// The parameters of SCRAM-SHA-256, which are Postgres' own defaults.
const (
	scramIterations = 4096
	scramSaltLen    = 16
)

// scramVerifier computes what Postgres stores of a password, so that the
// password itself is never part of a statement: not in the server's log, not in
// pg_stat_statements, not in an error. RFC 5802 has the formulas.
func scramVerifier(password string) (string, error) {
	// Other characters would have to be normalized exactly as every client does.
	if strings.ContainsFunc(password, func(r rune) bool { return r < 0x20 || r > 0x7e }) {
		return "", errors.New("the password has characters other than printable ASCII")
	}
	salt := make([]byte, scramSaltLen)
	if _, err := rand.Read(salt); err != nil {
		return "", fmt.Errorf("draw a salt: %w", err)
	}
	salted, err := pbkdf2.Key(sha256.New, password, salt, scramIterations, sha256.Size)
	if err != nil {
		return "", fmt.Errorf("derive the password's key: %w", err)
	}
	storedKey := sha256.Sum256(mac(salted, "Client Key"))
	return fmt.Sprintf("SCRAM-SHA-256$%d:%s$%s:%s", scramIterations, base64.StdEncoding.EncodeToString(salt),
		base64.StdEncoding.EncodeToString(storedKey[:]), base64.StdEncoding.EncodeToString(mac(salted, "Server Key"))), nil
}

func mac(key []byte, text string) []byte {
	m := hmac.New(sha256.New, key)
	m.Write([]byte(text))
	return m.Sum(nil)
}
