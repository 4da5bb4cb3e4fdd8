package isolation

var _ = add(seeds{
	"createOrganization": {Body: func(*party) map[string]any {
		return map[string]any{
			"slug": "made-" + unique, "name": "Made " + unique,
			"admin": map[string]any{"email": "admin@" + unique + ".example", "name": "Admin"},
		}
	}},
	"listOrganizations": {},
	"getOrganization":   {},
})
