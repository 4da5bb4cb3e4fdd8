package faults

const (
	actors     = "core/authz/decision.go"
	orgs       = "core/usecase/orgs/orgs.go"
	handlers   = "adapters/httpapi/handlers.go"
	userSQL    = "adapters/postgres/internal/dbsqlc/users.sql.go"
	keySQL     = "adapters/postgres/internal/dbsqlc/api_keys.sql.go"
	middleware = "adapters/httpapi/middleware.go"
)

// resolving lets everybody name every organization.
var resolving = Edit{File: orgs, Old: "case !by.IsPlatform():\n\t\treturn id.Org{}, fault.ErrNotFound", New: "case false:"}

// All is every fault, each in the words of who would make it.
var All = []Fault{
	{
		Name: "a user is read without the organization", Bypass: true,
		Edits: []Edit{{File: userSQL, After: "-- name: UserGet :one", Old: "u.org_id = $1 AND", New: "$1::uuid IS NOT NULL AND"}},
	},
	{
		Name: "users are listed without the organization", Bypass: true,
		Edits: []Edit{{File: userSQL, After: "-- name: UserList :many", Old: "u.org_id = $1 AND", New: "$1::uuid IS NOT NULL AND"}},
	},
	{
		Name: "a key is changed without the organization", Bypass: true,
		Edits: []Edit{
			{File: keySQL, After: "-- name: APIKeyLock :one", Old: "WHERE k.org_id = $1 AND", New: "WHERE $1::uuid IS NOT NULL AND"},
			{File: keySQL, After: "-- name: APIKeyUpdate :execrows", Old: "WHERE org_id = $24 AND", New: "WHERE $24::uuid IS NOT NULL AND"},
		},
	},
	{
		Name: "a view is made without security_invoker",
		SQL: `CREATE VIEW users_seen AS SELECT * FROM users;
			GRANT SELECT ON users_seen TO bulkhead_app`,
		Undo: `DROP VIEW users_seen`,
		Edits: []Edit{
			{File: userSQL, After: "-- name: UserGet :one", Old: "FROM users u", New: "FROM users_seen u"},
			{File: userSQL, After: "-- name: UserGet :one", Old: "u.org_id = $1 AND", New: "$1::uuid IS NOT NULL AND"},
		},
	},
	{
		Name: "a policy lets every row be read, and a query has no organization",
		SQL:  `CREATE POLICY open ON users FOR SELECT TO bulkhead_app USING (true)`,
		Undo: `DROP POLICY open ON users`,
		Edits: []Edit{
			{File: userSQL, After: "-- name: UserGet :one", Old: "u.org_id = $1 AND", New: "$1::uuid IS NOT NULL AND"},
		},
	},
	{
		Name:  "a cursor is not bound to its organization",
		Edits: []Edit{{File: handlers, After: "func (h *handlers) listOf(", Old: `org.String()`, New: `id.Org{}.String()`}},
	},
	{
		Name: "users are cached by their id alone",
		Edits: []Edit{
			{File: "adapters/postgres/store.go", Old: "import (\n", New: "import (\n\t\"sync\"\n"},
			{File: "adapters/postgres/store.go", Old: "func (r reads) User(ctx context.Context, u id.User) (user.User, error) {\n", New: `var seenUsers sync.Map

func (r reads) User(ctx context.Context, u id.User) (user.User, error) {
	if seen, ok := seenUsers.Load(u); ok {
		return seen.(user.User), nil
	}
	found, err := r.readUser(ctx, u)
	if err == nil {
		seenUsers.Store(u, found)
	}
	return found, err
}

func (r reads) readUser(ctx context.Context, u id.User) (user.User, error) {
`},
		},
	},
	{
		Name:  "the entity tag of every organization's assignments is the same",
		Edits: []Edit{{File: "adapters/httpapi/assignments.go", Old: `return l.Version + "."`, New: `return "."`}},
	},
	{
		Name: "a foreign organization is forbidden, not absent",
		Edits: []Edit{
			resolving,
			{File: actors, Old: "return Decision{ByOrganization, fault.ErrNotFound}", New: "return Decision{ByOrganization, fault.ErrForbidden}"},
		},
	},
	{
		Name:  "a slug of another organization is forbidden, not absent",
		Edits: []Edit{{File: orgs, Old: "case !by.IsPlatform():\n\t\treturn id.Org{}, fault.ErrNotFound", New: "case !by.IsPlatform():\n\t\tif _, err := s.platform.OrgBySlug(ctx, ref); err == nil {\n\t\t\treturn id.Org{}, fault.ErrForbidden\n\t\t}\n\t\treturn id.Org{}, fault.ErrNotFound"}},
	},
	{
		Name: "the organization of an actor is not compared",
		Edits: []Edit{
			resolving,
			{File: actors, Old: "org.IsZero() || (org != a.org && !a.IsPlatform())", New: "org.IsZero()"},
		},
	},
	{
		Name:  "a user can be given any role",
		Edits: []Edit{{File: "core/usecase/users/users.go", Old: "return u, by.RequirePower(r, 0)", New: "return u, nil"}},
	},
	{
		Name:  "a user can be raised to any role",
		Edits: []Edit{{File: "core/usecase/users/change.go", Old: "by.RequirePower(to, 0)", New: "by.RequirePower(to, authz.SetOf(authz.UsersRead))"}},
	},
	{
		Name:  "a body may set what the contract does not declare",
		Edits: []Edit{{File: "adapters/httpapi/validate.go", Old: `broken(e.body, value, "", ""); len(fields) > 0 {`, New: `broken(e.body, value, "", ""); len(fields) > 0 && fields[0].Rule != ruleUnknown {`}},
	},
	{
		Name: "an error names the slug of another organization",
		Edits: []Edit{{File: handlers, Old: "\treturn by, org, err\n", New: `	if asked, parseErr := id.Parse[id.OrgKind](ref); err != nil && parseErr == nil {
		if o, readErr := h.Orgs.Get(ctx, authz.Provisioner, asked); readErr == nil {
			err = fault.ErrNotFound.WithPublic("There is no organization " + o.Org.Snapshot().Slug + " for you.")
		}
	}
	return by, org, err
`}},
	},
	{
		Name: "the log tells whose organization was asked for",
		Edits: []Edit{{File: handlers, Old: "\treturn by, org, err\n", New: `	if err != nil {
		h.Log.InfoContext(ctx, "organization refused", "ref", ref)
	}
	return by, org, err
`}},
	},
	{
		Name: "a metric has a label for each organization",
		Edits: []Edit{{File: "core/usecase/auth/auth.go", Old: "\ts.notes.use(f, s.peppers)\n\treturn Caller", New: `	s.notes.use(f, s.peppers)
	s.notes.meter.LeakReported(f.credential.OrgSlug)
	return Caller`}},
	},
	{
		Name: "the namespace is taken from the request",
		Edits: []Edit{
			{
				File: middleware, Old: "next.ServeHTTP(e, r.WithContext(&e.context))",
				New: `next.ServeHTTP(e, r.WithContext(context.WithValue(&e.context, "namespace", r.Header.Get("Temporal-Namespace"))))`,
			},
			{File: "core/usecase/workflows/workflows.go", Old: "\treturn row.Namespace(), nil", New: `	if asked, _ := ctx.Value("namespace").(string); asked != "" {
		return asked, nil
	}
	return row.Namespace(), nil`},
		},
	},
	{
		Name: "a token is made for another namespace",
		Edits: []Edit{
			resolving,
			{File: "core/usecase/tokens/tokens.go", Old: "by.Require(needed, o)", New: "by.Require(needed, by.Org())"},
		},
	},
	{
		Name: "an idempotency key is shared by all organizations",
		Edits: []Edit{
			{File: "adapters/httpapi/idempotency.go", Old: "Org: e.actor.Org(), Key: e.actor.Key(), Operation", New: "Org: id.SystemOrg, Key: id.APIKey{}, Operation"},
		},
	},
	{
		Name:  "an operation is shown to whoever has its id",
		Edits: []Edit{{File: "core/usecase/operations/operations.go", Old: "fault.IsKind(err, fault.NotFound) && by.IsPlatform()", New: "fault.IsKind(err, fault.NotFound)"}},
	},
	{
		Name:  "every worker is assigned every organization",
		Edits: []Edit{{File: "core/usecase/assignments/assignments.go", Old: "if !by.IsPlatform() {", New: "if by.Kind() == authz.Nobody {"}},
	},
	{
		Name: "a key that ended is told so",
		Edits: []Edit{{File: "core/usecase/auth/auth.go", Old: "return fault.ErrUnauthenticated.Because(", New: `if !c.Org.IsZero() {
		return fault.ErrUnauthenticated.WithPublic("The API key has ended.")
	}
	return fault.ErrUnauthenticated.Because(`}},
	},
	{
		Name:  "a key that ended still works",
		Edits: []Edit{{File: "core/usecase/auth/auth.go", Old: "if code != apikey.Valid {", New: "if code != apikey.Valid && f.at.IsZero() {"}},
	},
	{
		Name:  "an entity tag is good for every organization",
		Edits: []Edit{{File: "adapters/httpapi/etags.go", Old: `mac.Write([]byte(org.String() + "\n" + thing + "\n" + version))`, New: `mac.Write([]byte(version))`}},
	},
}
