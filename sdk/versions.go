package sdk

import "net/http"

// AnyVersion stands for whatever version a thing has, in the place of its ETag. A
// change that is meant for any version may undo another's.
const AnyVersion = "*"

// ifMatch is the header that says which version a change is meant for.
func ifMatch(etag string) http.Header {
	if etag == "" {
		return nil
	}
	return http.Header{"If-Match": {etag}}
}
