// Package fault is the one error type that crosses Bulkhead's layers.
//
// A fault has a kind (what sort of trouble, from which an edge such as HTTP
// derives its own status), a stable dotted code that clients may depend on, and
// a public text that is safe to show to anyone. What happened inside travels as
// its cause, for the log only. Every code is declared once, by Define, so that
// the list of codes in the documentation is generated and complete.
package fault

import (
	"errors"
	"fmt"
	"sort"
	"sync"
	"time"
)

// Kind says what sort of trouble a fault is. The zero value is not a kind of
// its own: an error without a kind is Internal.
type Kind uint8

// The kinds of fault.
const (
	Internal           Kind = iota // ours to mend; the public text says nothing more
	Invalid                        // the request breaks a rule of its own
	Unauthenticated                // nobody, or not anybody any more
	Forbidden                      // known, and not allowed to do this to a thing it may know of
	NotFound                       // absent, foreign, or not to be known: one answer for all three
	Conflict                       // the request contradicts the present state
	PreconditionFailed             // the caller's version of the thing is stale
	Exhausted                      // a limit is reached; RetryAfter says when to come back
	Unavailable                    // something we depend on is away
	Timeout                        // something we depend on did not answer in time
)

var kindNames = [...]string{
	"internal", "invalid", "unauthenticated", "forbidden", "not_found", "conflict",
	"precondition_failed", "exhausted", "unavailable", "timeout",
}

// String returns the kind's name in lower case.
func (k Kind) String() string {
	if int(k) < len(kindNames) {
		return kindNames[k]
	}
	return kindNames[Internal]
}

// Field is one broken rule of an input.
type Field struct {
	Pointer string // where: a JSON pointer ("/slug"), or the parameter's name
	Rule    string // which rule: "required", "format", "max_length", …
	Detail  string // the rule in words, without the offending value
}

// Error is a fault. Values made by Define are the sentinels; those that travel
// are copies of them, made by Because, WithFields and their like.
type Error struct {
	Kind       Kind
	Code       string
	Public     string
	Fields     []Field
	RetryAfter time.Duration // zero: no advice

	cause error
}

var registry struct {
	sync.Mutex
	byCode map[string]*Error
}

// Define declares a code with its kind and public text, once in the program. It
// is for package variables: it panics when a code is declared twice, as that is
// a mistake in the source.
func Define(kind Kind, code, public string) *Error {
	registry.Lock()
	defer registry.Unlock()
	if registry.byCode == nil {
		registry.byCode = map[string]*Error{}
	}
	if _, ok := registry.byCode[code]; ok {
		panic("fault: code declared twice: " + code)
	}
	e := &Error{Kind: kind, Code: code, Public: public}
	registry.byCode[code] = e
	return e
}

// All returns every declared fault in the order of their codes.
func All() []*Error {
	registry.Lock()
	defer registry.Unlock()
	out := make([]*Error, 0, len(registry.byCode))
	for _, e := range registry.byCode {
		out = append(out, e)
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Code < out[j].Code })
	return out
}

// Error returns the code, the public text, the broken rules and the cause. It
// is for logs: only Code, Public and Fields may leave the process.
func (e *Error) Error() string {
	s := e.Code + ": " + e.Public
	for _, f := range e.Fields {
		s += fmt.Sprintf(" [%s: %s]", f.Pointer, f.Rule)
	}
	if e.cause != nil {
		s += ": " + e.cause.Error()
	}
	return s
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.cause }

// Is makes errors.Is(err, org.ErrSlugTaken) true for every copy of that fault.
func (e *Error) Is(target error) bool {
	t, ok := target.(*Error)
	return ok && t.Code == e.Code
}

// Because returns a copy that carries its cause for the log.
func (e *Error) Because(cause error) *Error {
	c := *e
	c.cause = cause
	return &c
}

// WithFields returns a copy that names the broken rules.
func (e *Error) WithFields(fields ...Field) *Error {
	c := *e
	c.Fields = append([]Field(nil), fields...)
	return &c
}

// WithPublic returns a copy with a more exact public text. The text must hold
// nothing that its reader could not know already.
func (e *Error) WithPublic(text string) *Error {
	c := *e
	c.Public = text
	return &c
}

// After returns a copy that advises to come back after d.
func (e *Error) After(d time.Duration) *Error {
	c := *e
	c.RetryAfter = d
	return &c
}

// From returns the fault in err's chain, or ErrInternal with err as its cause.
// It returns nil for nil.
func From(err error) *Error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*Error](err); ok {
		return e
	}
	return ErrInternal.Because(err)
}

// KindOf returns the kind of the fault in err's chain; Internal when there is none.
func KindOf(err error) Kind {
	if e, ok := errors.AsType[*Error](err); ok {
		return e.Kind
	}
	return Internal
}

// IsKind tells whether err's chain holds a fault of kind k. Unlike KindOf it is
// false for a nil error.
func IsKind(err error, k Kind) bool { return err != nil && KindOf(err) == k }

// Passes tells whether err is of the present moment alone: the very same may succeed
// soon, as a limit is reached or something we depend on is away or slow.
func Passes(err error) bool {
	return IsKind(err, Exhausted) || IsKind(err, Unavailable) || IsKind(err, Timeout)
}

// The faults that belong to no aggregate.
var (
	ErrInternal        = Define(Internal, "internal", "Something went wrong on our side. The request id helps us find it.")
	ErrInvalid         = Define(Invalid, "request.invalid", "The request breaks a rule; see fields.")
	ErrUnauthenticated = Define(Unauthenticated, "auth.unauthenticated", "A valid API key is required.")
	ErrForbidden       = Define(Forbidden, "auth.forbidden", "This credential does not allow the operation.")
	ErrNotFound        = Define(NotFound, "not_found", "No such resource.")
	ErrStale           = Define(PreconditionFailed, "request.stale", "The resource has changed since the version that the request names. Read it again.")
	ErrUnavailable     = Define(Unavailable, "unavailable", "A service that is needed for this is away. Try again.")
	ErrTimeout         = Define(Timeout, "timeout", "A service that is needed for this did not answer in time. Try again.")
)

// CheckVersion fails with ErrStale unless expected is the version that a thing
// has, or 0, which stands for any. A caller does so inside the transaction that
// changes the thing, after its row is locked.
func CheckVersion(has, expected int64) error {
	if expected != 0 && expected != has {
		return ErrStale
	}
	return nil
}

// Under returns err with the pointers of its broken rules moved below prefix,
// for a value that was checked by itself and stands inside another.
func Under(err error, prefix string) error {
	e, ok := errors.AsType[*Error](err)
	if !ok || len(e.Fields) == 0 {
		return err
	}
	c := e.WithFields(e.Fields...)
	for i := range c.Fields {
		c.Fields[i].Pointer = prefix + c.Fields[i].Pointer
	}
	return c
}

// InvalidField is the fault of one broken rule.
func InvalidField(pointer, rule, detail string) *Error {
	return ErrInvalid.WithFields(Field{Pointer: pointer, Rule: rule, Detail: detail})
}
