// Package bootstrap makes the system organization and its first operator, with
// which everything else can be made through the API.
package bootstrap

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/google/uuid"

	"github.com/bulkheadhq/bulkhead/core/apikey"
	"github.com/bulkheadhq/bulkhead/core/audit"
	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/org"
	"github.com/bulkheadhq/bulkhead/core/page"
	"github.com/bulkheadhq/bulkhead/core/user"
	"github.com/bulkheadhq/bulkhead/ports"
)

// DefaultEmail is the first operator's address when none is given.
const DefaultEmail = "operator@localhost"

// ErrNoOperator is returned when a new key is asked for and there is nobody to
// give it to.
var ErrNoOperator = fault.Define(fault.Conflict, "bootstrap.no_operator", "There is no active operator. Run bootstrap first.")

// workerScopes is all that a fleet which serves every organization needs.
var workerScopes = authz.SetOf(authz.AssignmentsRead, authz.TokensWrite)

// Service bootstraps a deployment.
type Service struct {
	store   ports.Store
	clock   ports.Clock
	peppers apikey.Peppers
	random  io.Reader
}

// New returns the service. random is a cryptographic source.
func New(store ports.Store, clock ports.Clock, peppers apikey.Peppers, random io.Reader) *Service {
	return &Service{store: store, clock: clock, peppers: peppers, random: random}
}

// Result is what Run or NewOperatorKey made. Its secrets exist nowhere else.
type Result struct {
	Created     bool
	OperatorKey apikey.Secret
	WorkerKey   apikey.Secret
}

// Run makes the system organization, its first operator, a key for them and a
// key for worker fleets. When the system organization exists it changes nothing
// and says so. It fails with fault.ErrInvalid for a bad address.
func (s *Service) Run(ctx context.Context, email string) (Result, error) {
	if email == "" {
		email = DefaultEmail
	}
	address, err := user.ParseEmail("email", email)
	if err != nil {
		return Result{}, err
	}
	now := s.clock.Now()
	operator, err := user.New(id.New[id.UserKind](), id.SystemOrg, address, "Operator", authz.Operator, now)
	if err != nil {
		return Result{}, err
	}
	operatorKey, operatorSecret, err := s.key(apikey.Spec{UserID: operator.ID(), Name: "first operator"}, now)
	if err != nil {
		return Result{}, err
	}
	workerKey, workerSecret, err := s.key(apikey.Spec{Name: "worker fleet", Scopes: workerScopes}, now)
	if err != nil {
		return Result{}, err
	}
	err = s.store.WriteTx(ctx, id.SystemOrg, func(ctx context.Context, tx ports.Tx) error {
		if err := tx.Orgs.Insert(ctx, org.NewSystem(now)); err != nil {
			return err
		}
		if err := tx.Users.Insert(ctx, operator); err != nil {
			return err
		}
		if err := tx.Audit.Append(ctx, audit.Accepted(id.SystemOrg, now, authz.Bootstrap, audit.UserCreated, "user", operator.ID().String(),
			map[string]audit.Change{"email": audit.Created(address.String()), "role": audit.Created(authz.Operator.String())})); err != nil {
			return err
		}
		if err := s.insert(ctx, tx, operatorKey, now); err != nil {
			return err
		}
		return s.insert(ctx, tx, workerKey, now)
	})
	if errors.Is(err, org.ErrIDTaken) || errors.Is(err, org.ErrSlugTaken) {
		return Result{}, nil
	}
	if err != nil {
		return Result{}, err
	}
	return Result{Created: true, OperatorKey: operatorSecret, WorkerKey: workerSecret}, nil
}

// NewOperatorKey makes another key for the longest-serving active operator, for
// when the first was lost. Whoever can run it has the deployment's own secrets
// at hand, and so all power already. It fails with ErrNoOperator.
func (s *Service) NewOperatorKey(ctx context.Context) (Result, error) {
	operator, err := s.operator(ctx)
	if err != nil {
		return Result{}, err
	}
	now := s.clock.Now()
	key, secret, err := s.key(apikey.Spec{UserID: operator, Name: "recovery"}, now)
	if err != nil {
		return Result{}, err
	}
	err = s.store.WriteTx(ctx, id.SystemOrg, func(ctx context.Context, tx ports.Tx) error {
		return s.insert(ctx, tx, key, now)
	})
	if err != nil {
		return Result{}, err
	}
	return Result{OperatorKey: secret}, nil
}

func (s *Service) operator(ctx context.Context) (id.User, error) {
	after := uuid.Nil
	for {
		p, err := s.store.Reads(id.SystemOrg).Users(ctx, user.Filter{}, page.Request{Limit: page.MaxLimit, After: after})
		if err != nil {
			return id.User{}, err
		}
		for _, u := range p.Items {
			if u.Role() == authz.Operator && u.RequireActive() == nil {
				return u.ID(), nil
			}
		}
		if p.Next == uuid.Nil {
			return id.User{}, ErrNoOperator
		}
		after = p.Next
	}
}

func (s *Service) key(spec apikey.Spec, now time.Time) (apikey.Key, apikey.Secret, error) {
	secret, err := apikey.NewSecret(s.random)
	if err != nil {
		return apikey.Key{}, apikey.Secret{}, err
	}
	k, err := apikey.New(id.New[id.APIKeyKind](), id.SystemOrg, spec, secret, s.peppers.Hash(secret), now)
	return k, secret, err
}

func (s *Service) insert(ctx context.Context, tx ports.Tx, k apikey.Key, now time.Time) error {
	if err := tx.APIKeys.Insert(ctx, k); err != nil {
		return err
	}
	return tx.Audit.Append(ctx, audit.Accepted(id.SystemOrg, now, authz.Bootstrap, audit.APIKeyCreated, "apikey", k.Snapshot().ID.String(),
		map[string]audit.Change{"name": audit.Created(k.Snapshot().Name), "scopes": audit.Created(k.Snapshot().Scopes.Names())}))
}
