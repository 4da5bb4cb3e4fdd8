package httpapi

import (
	"context"
	"errors"
	"time"

	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/signing"
	"github.com/bulkheadhq/bulkhead/ports"
)

type signingKeys struct{}

func (signingKeys) List(context.Context) ([]signing.Key, error) {
	return []signing.Key{{ID: "k", State: signing.Active}}, nil
}

func (signingKeys) Change(context.Context, func([]signing.Key) ([]signing.Key, error)) error {
	return errors.ErrUnsupported
}

type crypto struct{}

func (crypto) Generate(signing.State, time.Time) (signing.Key, error) {
	return signing.Key{}, errors.ErrUnsupported
}

func (crypto) Sign(_ signing.Key, c signing.Claims) (string, error) {
	return "jwt " + c.Permission, nil
}
func (crypto) KeySet([]signing.Key) ([]byte, error) { return []byte(`{"keys":[{"kid":"k"}]}`), nil }

// pinger answers as its error says.
type pinger struct {
	name string
	err  error
}

func (p pinger) Name() string               { return p.name }
func (p pinger) Ping(context.Context) error { return p.err }

// Nobody follows what changes here, so that each key is looked up.
func (*memory) Since(context.Context, ports.CredentialCursor) (ports.CredentialChanges, ports.CredentialCursor, error) {
	return ports.CredentialChanges{}, "", nil
}
func (*memory) Wait(context.Context, time.Duration) error { return nil }
func (*memory) Written(id.Org) uint64                     { return 0 }
func (*memory) WrittenUntil() func(id.Org) uint64         { return func(id.Org) uint64 { return 0 } }
func (*memory) Elapsed() time.Duration                    { return 0 }
func (*memory) WatchCache(func() ports.CacheStats)        {}
