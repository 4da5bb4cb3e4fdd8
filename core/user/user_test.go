package user_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/matryer/is"

	"github.com/bulkheadhq/bulkhead/core/authz"
	"github.com/bulkheadhq/bulkhead/core/fault"
	"github.com/bulkheadhq/bulkhead/core/id"
	"github.com/bulkheadhq/bulkhead/core/user"
)

var (
	t0 = time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	t1 = t0.Add(time.Hour)
)

func TestParseEmail(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct{ in, want, rule string }{
		"a plain address":          {"ada@example.com", "ada@example.com", ""},
		"upper case":               {"Ada@EXAMPLE.com", "ada@example.com", ""},
		"a tag":                    {"ada+x@example.com", "ada+x@example.com", ""},
		"a host without a dot":     {"operator@localhost", "operator@localhost", ""},
		"an international address": {"Ädä@bücher.example", "ädä@bücher.example", ""},
		"an encoded domain":        {"a@xn--bcher-kva.example", "a@xn--bcher-kva.example", ""},
		"254 characters":           {strings.Repeat("a", 64) + "@" + strings.Repeat("b", 185) + ".com", strings.Repeat("a", 64) + "@" + strings.Repeat("b", 185) + ".com", ""},
		"255 characters":           {strings.Repeat("a", 64) + "@" + strings.Repeat("b", 186) + ".com", "", "max_length"},
		"lower case that is long":  {strings.Repeat("Ⱥ", 100) + "@" + "example.com", "", "max_length"}, // 211 bytes, 311 in lower case
		"nothing":                  {"", "", "required"},
		"a display name":           {"Ada <ada@example.com>", "", "format"},
		"angle brackets":           {"<ada@example.com>", "", "format"},
		"no host":                  {"ada", "", "format"},
		"an empty host":            {"ada@", "", "format"},
		"an empty local part":      {"@example.com", "", "format"},
		"two at signs":             {"a@b@example.com", "", "format"},
		"two addresses":            {"a@example.com,b@example.com", "", "format"},
		"a comment":                {"ada@example.com (Ada)", "", "format"},
		"a quoted local part":      {`"a b"@example.com`, "", "format"},
		"a space in front":         {" ada@example.com", "", "format"},
		"a line break at the end":  {"ada@example.com\n", "", "format"},
		"a header":                 {"ada@example.com\r\nBcc: x@example.com", "", "format"},
		"a NUL":                    {"a\x00da@example.com", "", "format"},
		"a NUL in the host":        {"ada@exa\x00mple.com", "", "format"},
		"a delete":                 {"a\x7fda@example.com", "", "format"},
		"a C1 control":             {"a\u0085da@example.com", "", "format"},
		"a no-break space":         {"a\u00a0da@example.com", "", "format"},
		"a space of no width":      {"a\u200bda@example.com", "", "format"},
		"a direction override":     {"a\u202eda@example.com", "", "format"},
		"broken UTF-8":             {"a\xffda@example.com", "", "format"},
	} {
		t.Run("Should judge "+name, func(t *testing.T) {
			t.Parallel()
			is := is.New(t)
			e, err := user.ParseEmail("/email", c.in)
			if c.rule == "" {
				is.NoErr(err)
				is.Equal(e.String(), c.want)
				return
			}
			is.True(errors.Is(err, fault.ErrInvalid))
			is.Equal(fault.From(err).Fields[0].Rule, c.rule)
			is.Equal(fault.From(err).Fields[0].Pointer, "/email")
			is.Equal(e, user.Email{})
		})
	}
}

func FuzzParseEmail(f *testing.F) {
	for _, s := range []string{"a@b", "Ada <a@b>", "a\x00@b", "ÄⱥKſİ@b", `"x"@b`, "a@[127.0.0.1]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		e, err := user.ParseEmail("/email", s)
		if err != nil {
			return
		}
		again, err := user.ParseEmail("/email", e.String())
		if err != nil || again != e {
			t.Errorf("%q became %q, which becomes %q (%v)", s, e, again, err)
		}
		if strings.ContainsRune(e.String(), 0) || len(e.String()) > 254 {
			t.Errorf("%q is accepted", s)
		}
		if _, err := user.New(id.New[id.UserKind](), id.New[id.OrgKind](), e, "", authz.Viewer, t0); err != nil {
			t.Errorf("%q cannot be a user without a name: %v", e, err)
		}
	})
}

func email(t *testing.T, s string) user.Email {
	t.Helper()
	e, err := user.ParseEmail("/email", s)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestNew(t *testing.T) {
	t.Parallel()

	t.Run("Should be active from the start", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		i, o := id.New[id.UserKind](), id.New[id.OrgKind]()
		u, err := user.New(i, o, email(t, "Ada@example.com"), "Ada", authz.Member, t0)
		is.NoErr(err)
		is.Equal(u.Snapshot(), user.Snapshot{
			ID: i, OrgID: o, Kind: user.Person, Email: "ada@example.com", Name: "Ada", Role: authz.Member, State: user.Active,
			Version: 1, CreatedAt: t0, UpdatedAt: t0,
		})
		is.Equal(u.ID(), i)
		is.Equal(u.Role(), authz.Member)
		is.NoErr(u.RequireActive())
	})

	t.Run("Should be named by the address without a name, cut between characters", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		u, err := user.New(id.New[id.UserKind](), id.New[id.OrgKind](), email(t, "ada@example.com"), "", authz.Member, t0)
		is.NoErr(err)
		is.Equal(u.Snapshot().Name, "ada@example.com")

		u, err = user.New(id.New[id.UserKind](), id.New[id.OrgKind](), email(t, "a"+strings.Repeat("ä", 110)+"@x"), "", authz.Member, t0)
		is.NoErr(err)
		is.Equal(u.Snapshot().Name, "a"+strings.Repeat("ä", 99))
	})

	t.Run("Should refuse a name that people could not read", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		_, err := user.New(id.New[id.UserKind](), id.New[id.OrgKind](), email(t, "a@x"), "a\x00", authz.Member, t0)
		is.Equal(fault.From(err).Fields[0].Pointer, "/name")
	})

	t.Run("Should need a role", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		_, err := user.New(id.New[id.UserKind](), id.New[id.OrgKind](), email(t, "a@x"), "A", authz.Role{}, t0)
		is.True(errors.Is(err, fault.ErrInvalid))
		is.Equal(fault.From(err).Fields[0].Pointer, "/role")
	})

	t.Run("Should have operators in the system organization only", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, r := range authz.Roles() {
			_, err := user.New(id.New[id.UserKind](), id.New[id.OrgKind](), email(t, "a@x"), "A", r, t0)
			is.Equal(errors.Is(err, user.ErrOperatorOutside), r == authz.Operator)
			_, err = user.New(id.New[id.UserKind](), id.SystemOrg, email(t, "a@x"), "A", r, t0)
			is.NoErr(err)
		}
	})
}

func TestStateMachine(t *testing.T) {
	t.Parallel()
	states := []user.State{user.Active, user.Suspended, user.Removed, {}}

	for name, m := range map[string]struct {
		call func(*user.User) error
		to   map[user.State]user.State
	}{
		"Suspend": {func(u *user.User) error { return u.Suspend("", t1) }, map[user.State]user.State{user.Active: user.Suspended}},
		"Resume":  {func(u *user.User) error { return u.Resume(t1) }, map[user.State]user.State{user.Suspended: user.Active}},
		"Remove": {func(u *user.User) error { return u.Remove(t1) }, map[user.State]user.State{
			user.Active: user.Removed, user.Suspended: user.Removed, {}: user.Removed, // of an unknown state, only the way out
		}},
	} {
		for _, from := range states {
			t.Run("Should "+name+" from "+from.String()+" as stated", func(t *testing.T) {
				t.Parallel()
				is := is.New(t)
				before := user.Snapshot{State: from, Version: 3, CreatedAt: t0, UpdatedAt: t0, Role: authz.Admin}
				u := user.Restore(before)
				err := m.call(&u)
				to, allowed := m.to[from]
				if !allowed {
					is.True(errors.Is(err, user.ErrState))
					is.Equal(u.Snapshot(), before)
					return
				}
				is.NoErr(err)
				want := before
				want.State, want.Version, want.UpdatedAt = to, 4, t1
				is.Equal(u.Snapshot(), want)
			})
		}
	}

	t.Run("Should let a user act when active alone", func(t *testing.T) {
		t.Parallel()
		is := is.New(t)
		for _, s := range states {
			u := user.Restore(user.Snapshot{State: s})
			is.Equal(u.RequireActive() == nil, s == user.Active)
			_, ok := user.ParseState(s.String())
			is.Equal(ok, s != user.State{})
		}
	})
}
