package embedded

import (
	"net/url"
	"time"

	"go.temporal.io/server/common/cluster"
	"go.temporal.io/server/common/config"
	"go.temporal.io/server/common/dynamicconfig"
	"go.temporal.io/server/common/persistence/sql/sqlplugin/sqlite"
	"go.temporal.io/server/common/primitives"

	"github.com/bulkheadhq/bulkhead/cmd/bulkhead-dev/internal/netport"
	"github.com/bulkheadhq/bulkhead/cmd/bulkhead-dev/internal/temporal"
)

const (
	clusterName = "active"
	// clusterID only has to stay the same for the life of a database.
	clusterID = "6d7a4c1e-3f0b-4b62-9c55-0f2b7a86d1b4"
	// keysRefresh is short, so that a rotation of the signing keys is seen within one test step.
	keysRefresh = 2 * time.Second
)

// internalServices listen on ports of their own choice. None of them checks a token, the internal frontend included:
// the server's own workers use it because an authorized frontend would refuse them. They must stay on loopback.
var internalServices = []primitives.ServiceName{
	primitives.InternalFrontendService,
	primitives.HistoryService,
	primitives.MatchingService,
	primitives.WorkerService,
}

// storage is one SQLite file for everything. Without a write-ahead log it would be an order of magnitude slower;
// synchronous=NORMAL keeps it consistent over a kill of the process.
func storage(path string) *config.SQL {
	return &config.SQL{
		PluginName:   sqlite.PluginName,
		DatabaseName: (&url.URL{Path: path}).EscapedPath(), // it becomes part of a file: URI
		ConnectAttributes: map[string]string{
			"mode":         "rwc",
			"journal_mode": "WAL",
			"synchronous":  "NORMAL",
		},
	}
}

// configuration is a single node with authorization on. PublicClient stays empty on purpose: that is what makes the
// server's own workers use the internal frontend.
func configuration(cfg temporal.Config, store *config.SQL, internalPorts []int) *config.Config {
	services := map[string]config.Service{
		string(primitives.FrontendService): {RPC: config.RPC{GRPCPort: cfg.Port, HTTPPort: cfg.HTTPPort, BindOnIP: temporal.Host}},
	}
	for i, name := range internalServices {
		services[string(name)] = config.Service{RPC: config.RPC{GRPCPort: internalPorts[i], BindOnIP: temporal.Host}}
	}
	const disabled = "disabled"
	return &config.Config{
		Global: config.Global{
			Membership: config.Membership{MaxJoinDuration: 30 * time.Second, BroadcastAddress: temporal.Host},
			Authorization: config.Authorization{
				JWTKeyProvider:       config.JWTKeyProvider{KeySourceURIs: []string{cfg.KeysURL}, RefreshInterval: keysRefresh},
				PermissionsClaimName: "permissions",
				Authorizer:           "default",
				ClaimMapper:          "default",
				Audience:             cfg.Audience,
			},
		},
		Persistence: config.Persistence{
			DefaultStore:     sqlite.PluginName,
			VisibilityStore:  sqlite.PluginName,
			NumHistoryShards: 1, // part of the database: it can never change for a file that exists
			DataStores:       map[string]config.DataStore{sqlite.PluginName: {SQL: store}},
		},
		ClusterMetadata: &cluster.Config{
			FailoverVersionIncrement: 10,
			MasterClusterName:        clusterName,
			CurrentClusterName:       clusterName,
			ClusterInformation: map[string]cluster.ClusterInformation{clusterName: {
				Enabled:                true,
				InitialFailoverVersion: 1,
				ClusterID:              clusterID,
				RPCAddress:             netport.Address(temporal.Host, cfg.Port),
				HTTPAddress:            netport.Address(temporal.Host, cfg.HTTPPort),
			}},
		},
		DCRedirectionPolicy: config.DCRedirectionPolicy{Policy: "noop"},
		Archival: config.Archival{
			History:    config.HistoryArchival{State: disabled},
			Visibility: config.VisibilityArchival{State: disabled},
		},
		NamespaceDefaults: config.NamespaceDefaults{Archival: config.ArchivalNamespaceDefaults{
			History:    config.HistoryArchivalNamespaceDefaults{State: disabled},
			Visibility: config.VisibilityArchivalNamespaceDefaults{State: disabled},
		}},
		Services: services,
	}
}

// unlimited is a rate a second that nobody reaches.
const unlimited = 100_000

// dynamicSettings replace the defaults that are made for large clusters.
func dynamicSettings() dynamicconfig.Client {
	values := map[string]any{
		// One organization's workflow must never start a child in another's namespace.
		"system.enableCrossNamespaceCommands": false,

		// A namespace, its state and its search attributes are usable right after they change.
		"system.namespaceCacheRefreshInterval":           100 * time.Millisecond,
		"system.forceSearchAttributesCacheRefreshOnRead": true,

		// The server may lose the notification that a workflow has closed; a waiting caller then sits out this interval.
		"history.longPollExpirationInterval": 2 * time.Second,

		// An execution is deleted only when the queues have noted that it has closed, for which they wait: a deleted
		// namespace would take more than a minute to go.
		"history.transferProcessorUpdateAckInterval":   time.Second,
		"history.visibilityProcessorUpdateAckInterval": time.Second,

		// Schedules that need no worker of the server in every namespace.
		"history.enableCHASMSchedulerCreation":         true,
		"history.chasmSchedulerCreationRolloutPercent": 100,

		// A test run registers namespaces, lists and starts faster than a production default allows. What the rates
		// protect, a cluster and its tenants from each other, is not here.
		"frontend.rps": unlimited,
		"frontend.rps.namespaceReplicationInducingAPIs":          unlimited,
		"frontend.namespaceRPS":                                  unlimited,
		"frontend.namespaceRPS.namespaceReplicationInducingAPIs": unlimited,
		"frontend.namespaceRPS.visibility":                       unlimited,
		"frontend.persistenceMaxQPS":                             unlimited,
		"history.rps":                                            unlimited,
		"history.persistenceMaxQPS":                              unlimited,
		"matching.rps":                                           unlimited,
		"matching.persistenceMaxQPS":                             unlimited,
		"system.visibilityPersistenceMaxReadQPS":                 unlimited,
		"system.visibilityPersistenceMaxWriteQPS":                unlimited,

		// The default cache is sized for a machine of its own.
		"history.hostLevelCacheMaxSize": 8096,
	}
	client := make(dynamicconfig.StaticClient, len(values))
	for name, value := range values {
		client[dynamicconfig.MakeKey(name)] = value
	}
	return client
}
