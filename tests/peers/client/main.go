// An independent client: what a program on the govmomi library does with a practice host.
//
// Usage: client ADDRESS USER VM; the password comes from PEER_PASSWORD. Each step prints a line;
// the first step that goes wrong ends the program with status 1. The library sends request bodies
// in chunks and cookies without quotes, and reads with the old RetrieveProperties.
package main

import (
	"context"
	"fmt"
	"log"
	"net/url"
	"os"
	"strings"
	"time"

	"github.com/vmware/govmomi"
	"github.com/vmware/govmomi/object"
	"github.com/vmware/govmomi/property"
	"github.com/vmware/govmomi/view"
	"github.com/vmware/govmomi/vim25/methods"
	"github.com/vmware/govmomi/vim25/mo"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

func must(err error, what string) {
	if err != nil {
		log.Fatalf("%s: %v", what, err)
	}
	fmt.Println(what)
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 60*time.Second)
	defer cancel()
	address, user, name := os.Args[1], os.Args[2], os.Args[3]
	place := &url.URL{Scheme: "https", Host: address, Path: "/sdk",
		User: url.UserPassword(user, os.Getenv("PEER_PASSWORD"))}

	// true: the certificate is not verified; the peer is on the loopback interface
	client, err := govmomi.NewClient(ctx, place, true)
	must(err, "login")

	wrong := *place
	wrong.User = url.UserPassword(user, "wrong")
	if _, err = govmomi.NewClient(ctx, &wrong, true); err == nil || !soap.IsSoapFault(err) {
		log.Fatalf("a wrong password: %v", err)
	}
	fmt.Println("wrong password refused")

	manager := view.NewManager(client.Client)
	all, err := manager.CreateContainerView(ctx, client.ServiceContent.RootFolder,
		[]string{"VirtualMachine"}, true)
	must(err, "container view")

	var vms []mo.VirtualMachine
	leaves := []string{"name", "config.nestedHVEnabled", "config.hardware.numCPU", "runtime.powerState"}
	must(all.Retrieve(ctx, []string{"VirtualMachine"}, leaves, &vms), "bulk properties")
	var found *mo.VirtualMachine
	for i := range vms {
		if vms[i].Name == name {
			found = &vms[i]
		}
	}
	if found == nil {
		log.Fatalf("no VM %s among %d", name, len(vms))
	}
	fmt.Printf("vms %d\n", len(vms))

	vm := object.NewVirtualMachine(client.Client, found.Self)
	var whole mo.VirtualMachine
	must(property.DefaultCollector(client.Client).RetrieveOne(ctx, vm.Reference(), nil, &whole),
		"all properties of one VM")
	fmt.Printf("devices %d\n", len(whole.Config.Hardware.Device))

	// the library waits for a task with CreateFilter and WaitForUpdatesEx
	yes := true
	task, err := vm.Reconfigure(ctx, types.VirtualMachineConfigSpec{NestedHVEnabled: &yes})
	must(err, "reconfigure begins")
	must(task.Wait(ctx), "reconfigure ends")
	var after mo.VirtualMachine
	must(property.DefaultCollector(client.Client).RetrieveOne(ctx, vm.Reference(),
		[]string{"config.nestedHVEnabled"}, &after), "read back")
	if after.Config == nil || after.Config.NestedHVEnabled == nil || !*after.Config.NestedHVEnabled {
		log.Fatal("nestedHVEnabled was not set")
	}
	fmt.Println("nesting exposed")

	task, err = vm.Reconfigure(ctx, types.VirtualMachineConfigSpec{MemoryMB: 4097})
	must(err, "a wrong reconfigure begins")
	if err = task.Wait(ctx); err == nil || !strings.Contains(err.Error(), "memoryMB") {
		log.Fatalf("4097 MB of memory: %v", err)
	}
	fmt.Println("4097 MB refused")

	// one change seen by a filter that stays: power-on
	task, err = vm.PowerOn(ctx)
	must(err, "power-on begins")
	must(property.Wait(ctx, property.DefaultCollector(client.Client), vm.Reference(),
		[]string{"runtime.powerState"}, func(changes []types.PropertyChange) bool {
			for _, change := range changes {
				if change.Val == types.VirtualMachinePowerStatePoweredOn {
					return true
				}
			}
			return false
		}), "power state followed")
	must(task.Wait(ctx), "power-on ends")

	must(all.Destroy(ctx), "view destroyed")
	must(client.Logout(ctx), "logout")
	if _, err = methods.GetCurrentTime(ctx, client); err == nil {
		log.Fatal("a call after logout was answered")
	}
	fmt.Println("call after logout refused")
}
