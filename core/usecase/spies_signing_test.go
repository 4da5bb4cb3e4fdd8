package usecase_test

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/bulkheadhq/bulkhead/core/signing"
	"github.com/bulkheadhq/bulkhead/ports"
)

// keyring notes the keys that were stored as well.
type keyring struct {
	*spy
	real  ports.SigningKeys
	wrote [][]signing.Key
}

func (k *keyring) List(ctx context.Context) ([]signing.Key, error) {
	return asked(k.spy, "List", func() ([]signing.Key, error) { return k.real.List(ctx) })
}

// Change runs fn twice, the first time in vain.
func (k *keyring) Change(ctx context.Context, fn func([]signing.Key) ([]signing.Key, error)) error {
	if err := k.call("Change"); err != nil {
		return err
	}
	err := k.real.Change(ctx, func(keys []signing.Key) ([]signing.Key, error) {
		_, _ = fn(keys)
		return nil, errInVain
	})
	if !errors.Is(err, errInVain) {
		return err
	}
	var changed []signing.Key
	err = k.real.Change(ctx, func(keys []signing.Key) ([]signing.Key, error) {
		var err error
		changed, err = fn(slices.Clone(keys))
		k.oneSigns(keys, changed)
		return changed, err
	})
	if err == nil {
		k.wrote = append(k.wrote, changed)
	}
	return err
}

// oneSigns reports keys that would be active together between two writes.
func (k *keyring) oneSigns(keys, changed []signing.Key) {
	active := map[string]bool{}
	for _, key := range slices.Concat(keys, changed) {
		delete(active, key.ID)
		if key.State == signing.Active {
			active[key.ID] = true
		}
		if len(active) > 1 {
			k.t.Error("two keys are active between two writes")
		}
	}
}

// made returns the identifiers of all keys that were ever stored, oldest first.
func (k *keyring) made() []string {
	var ids []string
	for _, key := range slices.Concat(k.wrote...) {
		if !slices.Contains(ids, key.ID) {
			ids = append(ids, key.ID)
		}
	}
	return ids
}

type crypto struct {
	*spy
	real   ports.TokenCrypto
	signed []signing.Claims
}

func (c *crypto) Generate(s signing.State, now time.Time) (signing.Key, error) {
	return asked(c.spy, "Generate", func() (signing.Key, error) { return c.real.Generate(s, now) })
}

func (c *crypto) Sign(k signing.Key, claims signing.Claims) (string, error) {
	c.mu.Lock()
	c.signed = append(c.signed, claims)
	c.mu.Unlock()
	return asked(c.spy, "Sign", func() (string, error) { return c.real.Sign(k, claims) })
}

func (c *crypto) KeySet(keys []signing.Key) ([]byte, error) {
	return asked(c.spy, "KeySet", func() ([]byte, error) { return c.real.KeySet(keys) })
}
