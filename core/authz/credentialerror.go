package authz

import "github.com/bulkheadhq/bulkhead/core/id"

// CredentialError is why an authentication failed. It travels as the cause of
// fault.ErrUnauthenticated, for the trail alone: a cause never leaves the process,
// and whoever was refused is told the same in every case.
type CredentialError struct {
	Reason FailureReason
	Org    id.Org    // of the key that was presented; zero: the key is nobody's
	Key    id.APIKey // zero, too
}

// FailureReason is one of those below.
type FailureReason string

// The reasons.
const (
	KeyMalformed       FailureReason = "malformed"
	KeyUnknown         FailureReason = "unknown"
	KeyUnusable        FailureReason = "not_active" // revoked or disabled
	KeyExpired         FailureReason = "expired"
	OwnerUnusable      FailureReason = "user_not_active"
	OrgUnusable        FailureReason = "organization_not_active"
	AddressUnusable    FailureReason = "address_not_allowed"
	CredentialsMissing FailureReason = "missing"
)

// Error names the reason.
func (f *CredentialError) Error() string { return "authentication failed: " + string(f.Reason) }
