// Package api embeds the HTTP contract.
package api

import _ "embed"

// Document is the OpenAPI document.
//
//go:embed openapi.yaml
var Document []byte
