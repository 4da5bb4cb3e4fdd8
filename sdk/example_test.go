package sdk_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/signal"

	"go.temporal.io/sdk/client"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/bulkheadhq/bulkhead/sdk"
)

// api stands for a running Bulkhead.
func api() *httptest.Server {
	const run = `{"workflow_id":"greet-1","run_id":"r","type":"Greet","task_queue":"default","status":"running"}`
	mux := http.NewServeMux()
	reply := func(pattern, media string, status int, body string) {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", media)
			w.WriteHeader(status)
			fmt.Fprint(w, body)
		})
	}
	reply("POST /api/v0/organizations/acme/workflows", "application/json", 201, run)
	reply("GET /api/v0/organizations/acme/workflows/greet-1/result", "application/json", 200,
		`{"workflow_id":"greet-1","run_id":"r","status":"completed","output":"Hello, Ada!"}`)
	reply("GET /api/v0/organizations/acme/users", "application/json", 200,
		`{"items":[{"email":"ada@acme.example","role":"admin"},{"email":"grace@acme.example","role":"member"}]}`)
	reply("POST /api/v0/organizations", "application/problem+json", 409,
		`{"code":"org.slug_taken","detail":"The slug is already in use.","request_id":"req_1"}`)
	return httptest.NewServer(mux)
}

func Example() {
	server := api()
	defer server.Close()
	ctx := context.Background()

	client, err := sdk.New(sdk.Config{URL: server.URL, APIKey: os.Getenv("BULKHEAD_API_KEY")})
	if err != nil {
		panic(err)
	}
	input, err := sdk.Arguments("Ada")
	if err != nil {
		panic(err)
	}
	run, err := client.StartWorkflow(ctx, "acme", sdk.WorkflowStart{Type: "Greet", TaskQueue: "default", Input: input})
	if err != nil {
		panic(err)
	}
	result, err := client.AwaitResult(ctx, "acme", run.WorkflowID, run.RunID)
	if err != nil {
		panic(err)
	}
	var greeting string
	if err := result.Decode(&greeting); err != nil {
		panic(err)
	}
	fmt.Println(greeting)
	// Output: Hello, Ada!
}

func ExampleClient_AllUsers() {
	server := api()
	defer server.Close()
	client, err := sdk.New(sdk.Config{URL: server.URL})
	if err != nil {
		panic(err)
	}
	for user, err := range client.AllUsers(context.Background(), "acme", sdk.UserFilter{}) {
		if err != nil {
			panic(err)
		}
		fmt.Println(user.Email, user.Role)
	}
	// Output:
	// ada@acme.example admin
	// grace@acme.example member
}

func ExampleError() {
	server := api()
	defer server.Close()
	client, err := sdk.New(sdk.Config{URL: server.URL})
	if err != nil {
		panic(err)
	}
	_, err = client.CreateOrganization(context.Background(), sdk.OrganizationCreate{Slug: "acme"}, 0)
	var problem *sdk.Error
	if errors.As(err, &problem) && problem.Code == "org.slug_taken" {
		fmt.Println("choose another slug")
	}
	// Output: choose another slug
}

func ExampleFleet() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()

	client, err := sdk.New(sdk.Config{URL: "https://bulkhead.example", APIKey: os.Getenv("BULKHEAD_API_KEY")})
	if err != nil {
		panic(err)
	}
	fleet, err := sdk.NewFleet(sdk.FleetConfig{
		Client: client,
		Register: func(r worker.Registry, a sdk.Assignment) {
			r.RegisterWorkflowWithOptions(func(_ workflow.Context, name string) (string, error) {
				return fmt.Sprintf("Hello %s, from %s", name, a.Organization.Slug), nil
			}, workflow.RegisterOptions{Name: "Greet"})
		},
	})
	if err != nil {
		panic(err)
	}
	if err := fleet.Run(ctx); err != nil {
		panic(err)
	}
}

func ExampleDial() {
	ctx := context.Background()
	temporal, err := sdk.Dial(ctx, sdk.Config{URL: "https://bulkhead.example", APIKey: os.Getenv("BULKHEAD_API_KEY")})
	if err != nil {
		panic(err)
	}
	defer temporal.Close()
	_, err = temporal.ExecuteWorkflow(ctx, client.StartWorkflowOptions{TaskQueue: "default"}, "Greet", "Ada")
	if err != nil {
		panic(err)
	}
}
