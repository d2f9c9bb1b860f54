// Command peer speaks to a gateway as the clients of the original do, and shares no code with it: it logs in as a DID,
// uploads a file, finds it in the list, fetches it, deletes it, and sees that it is gone.
//
// It reads what it needs from the environment: MEMO_GATEWAY, MEMO_DID, MEMO_KEY (hex), MEMO_FILE. It prints one line for
// each step, and ends with 1 and a sentence on standard error where something is not as promised.
package main

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/decred/dcrd/dcrec/secp256k1/v4"
	"github.com/decred/dcrd/dcrec/secp256k1/v4/ecdsa"
	"golang.org/x/crypto/sha3"
)

const timeout = time.Minute

// session is one login: the token that was agreed on, and the number of the next call.
type session struct {
	gateway   string
	did       string
	key       *secp256k1.PrivateKey
	token     []byte
	requestID int64
	client    *http.Client
}

type object struct {
	ID   int64
	Name string
	Size int64
	Mid  string
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func run() error {
	key, err := hex.DecodeString(strings.TrimPrefix(os.Getenv("MEMO_KEY"), "0x"))
	if err != nil || len(key) != 32 {
		return fmt.Errorf("MEMO_KEY is no secret key")
	}
	content, err := os.ReadFile(os.Getenv("MEMO_FILE"))
	if err != nil {
		return err
	}
	s := &session{
		gateway: strings.TrimSuffix(os.Getenv("MEMO_GATEWAY"), "/"),
		did:     os.Getenv("MEMO_DID"),
		key:     secp256k1.PrivKeyFromBytes(key),
		token:   []byte("memo.test"),
		client:  &http.Client{Timeout: timeout},
	}
	if err := s.login(); err != nil {
		return err
	}
	before, err := s.list()
	if err != nil {
		return err
	}
	fmt.Printf("listed %d\n", len(before))
	cid, err := s.upload("peer.bin", content)
	if err != nil {
		return err
	}
	fmt.Printf("uploaded %s\n", cid)
	return s.fetchAndDelete(cid, content, len(before))
}

func (s *session) fetchAndDelete(cid string, content []byte, before int) error {
	found, err := s.find(cid)
	if err != nil {
		return err
	}
	if found == nil || found.Name != "peer.bin" || found.Size != int64(len(content)) {
		return fmt.Errorf("what was uploaded is not listed: %+v", found)
	}
	fmt.Printf("found %d\n", found.ID)
	status, body, err := s.call(http.MethodGet, "/mefs/"+cid, nil)
	if err != nil {
		return err
	}
	if status != http.StatusOK || !bytes.Equal(body, content) {
		return fmt.Errorf("download answered %d with %d bytes that are not the file", status, len(body))
	}
	fmt.Printf("downloaded %d\n", len(body))
	status, body, err = s.call(http.MethodGet, "/mefs/delete?id="+strconv.FormatInt(found.ID, 10), nil)
	if err != nil {
		return err
	}
	var deleted struct{ Status string }
	if err := json.Unmarshal(body, &deleted); err != nil || status != http.StatusOK || deleted.Status != "Success" {
		return fmt.Errorf("delete answered %d %s", status, body)
	}
	fmt.Println("deleted")
	return s.seeItGone(cid, before)
}

func (s *session) seeItGone(cid string, before int) error {
	after, err := s.list()
	if err != nil {
		return err
	}
	status, _, err := s.call(http.MethodGet, "/mefs/"+cid, nil)
	if err != nil {
		return err
	}
	if len(after) != before || status != http.StatusNotFound {
		return fmt.Errorf("%d objects instead of %d, and the download answers %d", len(after), before, status)
	}
	// A number that was used is used up: nobody repeats what was overheard.
	s.requestID--
	if status, body, err := s.call(http.MethodGet, "/mefs/listobjects", nil); err != nil {
		return err
	} else if status != http.StatusUnauthorized || !strings.Contains(string(body), "not a sequential request") {
		return fmt.Errorf("a number that was used before answered %d %s", status, body)
	}
	fmt.Println("gone")
	return nil
}

// login agrees on a token: keccak(did, token, little-endian seconds), signed.
func (s *session) login() error {
	now := time.Now().Unix()
	payload := map[string]any{
		"did":       s.did,
		"token":     hexOf(s.token),
		"timestamp": now,
		"signature": s.sign([]byte(s.did), s.token, littleEndian(now)),
	}
	b, err := json.Marshal(payload)
	if err != nil {
		return err
	}
	// No Content-Type: clients of the original set none.
	req, err := http.NewRequest(http.MethodPost, s.gateway+"/login", bytes.NewReader(b))
	if err != nil {
		return err
	}
	status, body, err := s.do(req)
	if err != nil {
		return err
	}
	if status != http.StatusOK || string(body) != "Login success!" {
		return fmt.Errorf("login answered %d %s", status, body)
	}
	fmt.Println("logged in")
	return nil
}

// call is a restricted call: a signed JSON body, on GET as well.
func (s *session) call(method, path string, payload []byte) (int, []byte, error) {
	b, err := json.Marshal(s.fields(payload))
	if err != nil {
		return 0, nil, err
	}
	req, err := http.NewRequest(method, s.gateway+path, bytes.NewReader(b))
	if err != nil {
		return 0, nil, err
	}
	return s.do(req)
}

// fields are the parameters of the next restricted call, its number used up.
func (s *session) fields(payload []byte) map[string]any {
	number := s.requestID
	s.requestID++
	fields := map[string]any{
		"did":       s.did,
		"token":     hexOf(s.token),
		"requestID": number,
		"signature": s.sign([]byte(s.did), s.token, payload, littleEndian(number)),
	}
	if payload != nil {
		fields["payload"] = hexOf(payload)
	}
	return fields
}

func (s *session) list() ([]object, error) {
	status, body, err := s.call(http.MethodGet, "/mefs/listobjects", nil)
	if err != nil {
		return nil, err
	}
	var answer struct{ Object []object }
	if err := json.Unmarshal(body, &answer); err != nil || status != http.StatusOK {
		return nil, fmt.Errorf("listobjects answered %d %s", status, body)
	}
	return answer.Object, nil
}

func (s *session) find(cid string) (*object, error) {
	objects, err := s.list()
	if err != nil {
		return nil, err
	}
	for _, one := range objects {
		if one.Mid == cid {
			return &one, nil
		}
	}
	return nil, nil
}

// upload sends a form whose signed fields stand before the file.
func (s *session) upload(name string, content []byte) (string, error) {
	var form bytes.Buffer
	writer := multipart.NewWriter(&form)
	for field, value := range s.fields(keccak(content)) {
		if err := writer.WriteField(field, fmt.Sprint(value)); err != nil {
			return "", err
		}
	}
	part, err := writer.CreateFormFile("file", name)
	if err != nil {
		return "", err
	}
	if _, err := part.Write(content); err != nil {
		return "", err
	}
	if err := writer.Close(); err != nil {
		return "", err
	}
	req, err := http.NewRequest(http.MethodPost, s.gateway+"/mefs/", &form)
	if err != nil {
		return "", err
	}
	req.Header.Set("Content-Type", writer.FormDataContentType())
	status, body, err := s.do(req)
	if err != nil {
		return "", err
	}
	var answer struct{ Cid string }
	if err := json.Unmarshal(body, &answer); err != nil || status != http.StatusOK || answer.Cid == "" {
		return "", fmt.Errorf("upload answered %d %s", status, body)
	}
	return url.PathEscape(answer.Cid), nil
}

func (s *session) do(req *http.Request) (int, []byte, error) {
	res, err := s.client.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return res.StatusCode, body, err
}

// sign gives r, s and v (0 or 1) over the keccak of all parts, as go-ethereum does.
func (s *session) sign(parts ...[]byte) string {
	// The compact form has v first, 27 higher.
	compact := ecdsa.SignCompact(s.key, keccak(parts...), false)
	return hexOf(append(compact[1:], compact[0]-27))
}

func keccak(parts ...[]byte) []byte {
	hash := sha3.NewLegacyKeccak256()
	for _, part := range parts {
		hash.Write(part)
	}
	return hash.Sum(nil)
}

func littleEndian(value int64) []byte {
	return binary.LittleEndian.AppendUint64(nil, uint64(value))
}

func hexOf(b []byte) string {
	return "0x" + hex.EncodeToString(b)
}
