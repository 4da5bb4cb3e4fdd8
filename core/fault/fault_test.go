package fault_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/fault"
)

var errSample = fault.Define(fault.Conflict, "faulttest.sample", "A sample.")

func TestDefine(t *testing.T) {
	t.Parallel()

	t.Run("Should refuse a code that is declared twice", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		defer func() { is.True(recover() != nil) }()
		_ = fault.Define(fault.Invalid, "faulttest.sample", "Again.")
	})

	t.Run("Should list every declared fault in the order of the codes", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		found := false
		before := ""
		for _, e := range fault.All() {
			is.True(before < e.Code)
			before = e.Code
			found = found || e == errSample
		}
		is.True(found)
	})
}

func TestIs(t *testing.T) {
	t.Parallel()

	t.Run("Should recognise every copy by its code", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, e := range []error{
			errSample,
			errSample.Because(io.EOF),
			errSample.WithFields(fault.Field{Pointer: "/a"}),
			errSample.WithPublic("Another text."),
			errSample.After(time.Second),
			fmt.Errorf("wrapped: %w", errSample.Because(io.EOF)),
			errors.Join(io.ErrClosedPipe, errSample),
		} {
			is.True(errors.Is(e, errSample))
			is.True(!errors.Is(e, fault.ErrInternal))
			is.True(fault.IsKind(e, fault.Conflict))
			is.Equal(fault.From(e).Code, errSample.Code)
		}
	})

	t.Run("Should find the cause", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		is.True(errors.Is(errSample.Because(io.EOF), io.EOF))
		is.True(!errors.Is(errSample, io.EOF))
	})
}

func TestCopies(t *testing.T) {
	t.Parallel()

	t.Run("Should leave the sentinel as it was declared", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		fields := []fault.Field{{Pointer: "/a"}}
		c := errSample.Because(io.EOF).WithFields(fields...).WithPublic("Other.").After(time.Minute)
		fields[0].Pointer = "/changed"

		is.Equal(c.Fields[0].Pointer, "/a")
		is.Equal(c.RetryAfter, time.Minute)
		is.Equal(c.Public, "Other.")
		is.Equal(errSample.Public, "A sample.")
		is.Equal(len(errSample.Fields), 0)
		is.Equal(errSample.RetryAfter, time.Duration(0))
		is.Equal(errSample.Unwrap(), nil)
	})
}

func TestFrom(t *testing.T) {
	t.Parallel()

	t.Run("Should be nil for nil", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		is.True(fault.From(nil) == nil)
		is.True(!fault.IsKind(nil, fault.Internal))
		is.Equal(fault.KindOf(nil), fault.Internal)
	})

	t.Run("Should show nothing of an error that is no fault", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		e := fault.From(errors.New("password=hunter2"))
		is.True(errors.Is(e, fault.ErrInternal))
		is.True(!strings.Contains(e.Public, "hunter2"))
		is.True(strings.Contains(e.Error(), "hunter2")) // the log needs it
		is.True(fault.IsKind(errors.New("x"), fault.Internal))
	})
}

func TestUnder(t *testing.T) {
	t.Parallel()

	t.Run("Should move pointers below the prefix in a copy", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		inner := fault.InvalidField("/name", "required", "must not be empty")
		outer := fault.From(fault.Under(fmt.Errorf("wrapped: %w", inner), "/admin"))
		is.Equal(outer.Fields, []fault.Field{{Pointer: "/admin/name", Rule: "required", Detail: "must not be empty"}})
		is.Equal(inner.Fields[0].Pointer, "/name")
		is.True(errors.Is(outer, fault.ErrInvalid))
	})

	t.Run("Should leave other errors alone", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		is.Equal(fault.Under(io.EOF, "/admin"), io.EOF)
		is.Equal(fault.Under(nil, "/admin"), nil)
		is.Equal(fault.Under(errSample, "/admin"), error(errSample))
	})
}

func TestText(t *testing.T) {
	t.Parallel()

	t.Run("Should tell the log the code, the rules and the cause", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		e := errSample.WithFields(fault.Field{Pointer: "/a", Rule: "required"}).Because(io.EOF)
		is.Equal(e.Error(), "faulttest.sample: A sample. [/a: required]: EOF")
	})

	t.Run("Should name every kind, and take an unknown one for internal", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		seen := map[string]bool{}
		for k := fault.Internal; k <= fault.Timeout; k++ {
			is.True(!seen[k.String()])
			seen[k.String()] = true
		}
		is.Equal(len(seen), 10)
		is.Equal((fault.Timeout + 1).String(), "internal")
	})
}
