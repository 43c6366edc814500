# Which computer this is: asked once, right after the login. Changes nothing.
param($given)
$computer = Get-CimInstance -ClassName Win32_ComputerSystem
$product = Get-CimInstance -ClassName Win32_ComputerSystemProduct
@{
    name = [string]$computer.Name
    maker = [string]$computer.Manufacturer
    uuid = [string]$product.UUID
}
