// An independent peer: the vSphere simulator of the govmomi library, as Debian packages it.
//
// Usage: vcsim -kind esx|vpx -vms N. Prints one line of JSON: how to reach it. Ends when standard
// input closes. The password comes from the environment variable PEER_PASSWORD.
package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"flag"
	"io"
	"log"
	"math/big"
	"net"
	"net/url"
	"os"
	"time"

	"github.com/vmware/govmomi/simulator"
)

// certificate is made anew at each start: the library's own is too weak for OpenSSL today.
func certificate() tls.Certificate {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		log.Fatal(err)
	}
	now := time.Now()
	template := &x509.Certificate{
		SerialNumber: big.NewInt(now.UnixNano()),
		NotBefore:    now.Add(-time.Hour),
		NotAfter:     now.Add(24 * time.Hour),
		IPAddresses:  []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		log.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}
}

func main() {
	kind := flag.String("kind", "vpx", "esx or vpx")
	vms := flag.Int("vms", 2, "how many VMs")
	flag.Parse()

	model := simulator.VPX()
	if *kind == "esx" {
		model = simulator.ESX()
	} else {
		// all VMs in one cluster of three hosts; no host outside it
		model.Host = 0
	}
	model.Machine = *vms
	model.Autostart = false
	defer model.Remove()
	if err := model.Create(); err != nil {
		log.Fatal(err)
	}
	for _, entity := range simulator.Map.All("HostSystem") {
		// 4 GiB in the library's template, too little to plan a nested host on
		host := entity.(*simulator.HostSystem)
		host.Hardware.MemorySize = 64 << 30
		host.Summary.Hardware.MemorySize = 64 << 30
	}

	user := "root"
	if *kind == "vpx" {
		user = "administrator@vsphere.local"
	}
	model.Service.TLS = &tls.Config{Certificates: []tls.Certificate{certificate()}}
	model.Service.Listen = &url.URL{
		Host: "127.0.0.1:0",
		User: url.UserPassword(user, os.Getenv("PEER_PASSWORD")),
	}
	server := model.Service.NewServer()
	defer server.Close()

	facts := map[string]string{"kind": *kind, "user": user, "address": server.URL.Host}
	if err := json.NewEncoder(os.Stdout).Encode(facts); err != nil {
		log.Fatal(err)
	}
	_, _ = io.Copy(io.Discard, os.Stdin)
}
