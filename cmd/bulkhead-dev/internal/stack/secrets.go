package stack

import (
	"crypto/rand"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"

	"github.com/bulkheadhq/bulkhead/cmd/bulkhead-dev/internal/datadir"
)

const secretsName = "secrets.json"

// Secrets are made once for a data directory and must never change for it: stored keys and encrypted values depend on
// them.
type Secrets struct {
	APIKeyPepper  string `json:"api_key_pepper"` // base64 of 32 bytes, as is the next
	EncryptionKey string `json:"encryption_key"`

	OwnerPassword string `json:"database_owner_password"`
	AppPassword   string `json:"database_app_password"`
	AuthPassword  string `json:"database_auth_password"`
	DumpPassword  string `json:"database_dump_password"`

	// WorkerKey is the example worker's API key, needed at every start.
	WorkerKey string `json:"worker_key,omitempty"`

	// UnshownOperatorKey waits here from its creation until it has been printed, so that a start which fails in between
	// does not lose it. It is empty from then on.
	UnshownOperatorKey string `json:"unshown_operator_key,omitempty"`
}

// loadSecrets reads the secrets of a data directory, or makes them for a new one. A file that cannot be understood is
// an error: new secrets would make everything stored with the old ones unusable.
func loadSecrets(dir string) (Secrets, error) {
	path := filepath.Join(dir, secretsName)
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		secrets := newSecrets()
		return secrets, secrets.save(dir)
	}
	if err != nil {
		return Secrets{}, fmt.Errorf("read secrets: %w", err)
	}
	if err := os.Chmod(path, 0o600); err != nil {
		return Secrets{}, fmt.Errorf("make the secrets private: %w", err)
	}
	var secrets Secrets
	if err := json.Unmarshal(content, &secrets); err != nil {
		return Secrets{}, fmt.Errorf("%s is damaged: %w; restore it, or start over with an empty data directory", path, err)
	}
	required := []string{
		secrets.APIKeyPepper, secrets.EncryptionKey,
		secrets.OwnerPassword, secrets.AppPassword, secrets.AuthPassword, secrets.DumpPassword,
	}
	if slices.Contains(required, "") {
		return Secrets{}, fmt.Errorf("%s lacks a secret; restore it, or start over with an empty data directory", path)
	}
	return secrets, nil
}

func newSecrets() Secrets {
	return Secrets{
		APIKeyPepper:  randomKey(),
		EncryptionKey: randomKey(),
		OwnerPassword: rand.Text(),
		AppPassword:   rand.Text(),
		AuthPassword:  rand.Text(),
		DumpPassword:  rand.Text(),
	}
}

func randomKey() string {
	key := make([]byte, 32)
	_, _ = rand.Read(key) // never fails: it ends the program instead
	return base64.StdEncoding.EncodeToString(key)
}

func (s Secrets) save(dir string) error {
	content, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return fmt.Errorf("encode secrets: %w", err)
	}
	return datadir.WriteFile(filepath.Join(dir, secretsName), append(content, '\n'))
}
