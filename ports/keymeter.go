package ports

// KeyMeter counts what happens to API keys, for whoever runs the deployment. Its
// methods return at once and never fail; what it counts names no tenant.
type KeyMeter interface {
	// ExpiryWarned counts a warning that a key has so many days left.
	ExpiryWarned(days int)
	// SecretsByPepper tells how many secrets can still be used, by the version of
	// their pepper.
	SecretsByPepper(secrets map[int16]int64)
	// LeakReported counts a key that was reported as leaked, by whom.
	LeakReported(source string)
	// UsesDropped counts uses of secrets that are not noted, as there is no room.
	UsesDropped(n int)
}
