// Package sdk is the Go client of Bulkhead: for back ends that work for their
// tenants through its API, and for the Temporal workers that serve them.
//
// A Client speaks to the API:
//
//	client, err := sdk.New(sdk.Config{URL: "https://bulkhead.example", APIKey: os.Getenv("BULKHEAD_API_KEY")})
//	…
//	input, err := sdk.Arguments("Ada")
//	…
//	run, err := client.StartWorkflow(ctx, "acme", sdk.WorkflowStart{
//		Type: "Greet", TaskQueue: "default", Input: input,
//	})
//	…
//	result, err := client.AwaitResult(ctx, "acme", run.WorkflowID, run.RunID)
//	…
//	var greeting string
//	err = result.Decode(&greeting)
//
// A Fleet runs Temporal workers, in one process, for all organizations that are
// assigned to its key; see examples/worker for a whole program. Dial returns a
// plain Temporal client for one's own organization.
//
// # Errors
//
// What the API refuses is an *Error, found by errors.As, with a stable Code.
// Everything else, such as a connection that could not be made, is wrapped as it
// came. Requests that read are repeated a few times, with growing pauses, when
// there is hope; those that change something only if they have certainly not
// been sent. The context bounds all of it; Config.MaxPause bounds how long the
// server can have a request wait. What a quota refuses is not repeated.
//
// # Secrets
//
// The API key, data-plane tokens and the secret of a new key show themselves
// neither formatted nor logged, and stand in no error. In JSON a new key and a
// token have their secrets, as that is what they are for.
package sdk
