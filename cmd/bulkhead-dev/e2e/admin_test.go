package e2e

import (
	"fmt"
	"path/filepath"
	"testing"

	"github.com/matryer/is"
	"go.temporal.io/server/api/adminservice/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
)

// TestAdministration is about the service of Temporal's frontend that its own
// operators use. Its methods are taken from its description, of which nothing of
// the server itself is a part, so that one which a later release adds is tried.
func TestAdministration(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	keys := newIssuer(t, filepath.Join(dir, "jwks.json"))
	running := startServer(t, binaryUnderTest(t), "temporal", "--data-dir", filepath.Join(dir, "data"), "--jwks", keys.path)
	connection, err := grpc.NewClient(running.Address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = connection.Close() })
	empty := func(d protoreflect.MessageDescriptor) protoreflect.ProtoMessage {
		kind, err := protoregistry.GlobalTypes.FindMessageByName(d.FullName())
		if err != nil {
			t.Fatal(err)
		}
		return kind.New().Interface()
	}
	services := adminservice.File_temporal_server_api_adminservice_v1_service_proto.Services()
	for i := range services.Len() {
		methods := services.Get(i).Methods()
		for j := range methods.Len() {
			method := methods.Get(j)
			t.Run("Should refuse a tenant "+string(method.Name()), func(t *testing.T) {
				is := is.New(t)
				path := fmt.Sprintf("/%s/%s", method.Parent().FullName(), method.Name())
				for _, token := range []string{"", keys.token(t, audience, "org-a:write"), keys.token(t, audience, "org-a:read")} {
					request := empty(method.Input()).ProtoReflect()
					if f := method.Input().Fields().ByName("namespace"); f != nil {
						request.Set(f, protoreflect.ValueOfString("org-a"))
					}
					if method.IsStreamingClient() || method.IsStreamingServer() {
						stream, err := connection.NewStream(bearer(t, token), &grpc.StreamDesc{ClientStreams: true, ServerStreams: true}, path)
						is.NoErr(err)
						err = stream.RecvMsg(empty(method.Output()))
						is.Equal(status.Convert(err).Message(), "Request unauthorized.") // a stream's refusal has no code
						continue
					}
					err := connection.Invoke(bearer(t, token), path, request.Interface(), empty(method.Output()))
					is.Equal(status.Code(err), codes.PermissionDenied)
				}
			})
		}
	}
}
