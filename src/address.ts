import { lookup as dnsLookup, type LookupAddress, type LookupAllOptions } from "node:dns";
import { BlockList, isIP, type LookupFunction } from "node:net";
import { TouchstoneError } from "./errors.ts";

/** True for an address that must not be connected to. The address is an IPv4 or IPv6 literal without brackets. */
export type RefusesAddress = (address: string) => boolean;

/** Where clouds keep credentials: link-local, and the metadata addresses outside it (Alibaba, Azure, Oracle). */
const METADATA = [
  ["169.254.0.0", 16],
  ["100.100.100.200", 32],
  ["168.63.129.16", 32],
  ["192.0.0.192", 32],
] as const;

/** Never a place to ask or to tell: metadata, link-local, multicast, unspecified. BlockList sees through `::ffff:…` by itself. */
const FORBIDDEN = new BlockList();
for (const [address, prefix] of METADATA) {
  FORBIDDEN.addSubnet(address, prefix, "ipv4");
  // The same addresses as a translator (NAT64), a tunnel (6to4) and the old compatible form write them.
  const hex = toHex(address);
  FORBIDDEN.addSubnet(`64:ff9b::${hex}`, 96 + prefix, "ipv6");
  FORBIDDEN.addSubnet(`2002:${hex}::`, 16 + prefix, "ipv6");
  FORBIDDEN.addSubnet(`::${hex}`, 96 + prefix, "ipv6");
}
FORBIDDEN.addSubnet("224.0.0.0", 4, "ipv4");
FORBIDDEN.addSubnet("0.0.0.0", 8, "ipv4");
FORBIDDEN.addSubnet("fe80::", 10, "ipv6");
FORBIDDEN.addSubnet("ff00::", 8, "ipv6");
FORBIDDEN.addAddress("::", "ipv6");
FORBIDDEN.addAddress("fd00:ec2::254", "ipv6");
FORBIDDEN.addAddress("fd20:ce::254", "ipv6");

/** IPv4 that is not public unicast: the special-purpose registry of RFC 6890 and its successors. */
const NOT_PUBLIC_IPV4 = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  ["224.0.0.0", 3],
] as const;
/** IPv6 is public unicast only within 2000::/3, but for protocol assignments with Teredo, 6to4 and documentation. NAT64, mapped and compatible forms lie outside. */
const GLOBAL_IPV6 = new BlockList();
GLOBAL_IPV6.addSubnet("2000::", 3, "ipv6");
const NOT_PUBLIC = new BlockList();
for (const [address, prefix] of NOT_PUBLIC_IPV4) NOT_PUBLIC.addSubnet(address, prefix, "ipv4");
for (const [address, prefix] of [
  ["2001::", 23],
  ["2001:db8::", 32],
  ["2002::", 16],
  ["3fff::", 20],
] as const)
  NOT_PUBLIC.addSubnet(address, prefix, "ipv6");

/** For places that operators configure on their own networks: everything but where nothing good can be. */
export const isForbidden: RefusesAddress = (address) => FORBIDDEN.check(address, familyOf(address));

/** For places on the internet: everything but public unicast. */
export const isNotPublic: RefusesAddress = (address) =>
  isForbidden(address) ||
  NOT_PUBLIC.check(address, familyOf(address)) ||
  (isIP(address) === 6 && !GLOBAL_IPV6.check(address, "ipv6"));

/**
 * Refuses the literal address of a URL, which Node connects to without asking any `lookup`.
 *
 * @throws TouchstoneError `source_refused`.
 */
export function refuseLiteral({ hostname, host }: URL, refuses: RefusesAddress): void {
  const literal = hostname.replace(/^\[|\]$/g, "");
  if (isIP(literal) !== 0 && refuses(literal)) throw refused(host, literal);
}

/** Finds all addresses of a name. */
export type Resolve = (
  hostname: string,
  options: LookupAllOptions,
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/** Resolves a name once and refuses it when any of its addresses is refused; what is connected to is what was checked. */
export const guardedLookup =
  (refuses: RefusesAddress, resolve: Resolve = dnsLookup): LookupFunction =>
  (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses: LookupAddress[]) => {
      if (error !== null) return callback(error, "", 0);
      const bad = addresses.find(({ address }) => refuses(address));
      if (bad !== undefined) return callback(refused(hostname, bad.address), "", 0);
      const [first] = addresses;
      if (options.all === true) return callback(null, addresses);
      return callback(null, first?.address ?? "", first?.family);
    });
  };

function refused(host: string, address: string): TouchstoneError {
  return new TouchstoneError("source_refused", `${host} is ${address}, an address that Touchstone never connects to`);
}

const familyOf = (address: string): "ipv4" | "ipv6" => (isIP(address) === 6 ? "ipv6" : "ipv4");

/** 169.254.1.2 → a9fe:102 */
function toHex(address: string): string {
  const [a = 0, b = 0, c = 0, d = 0] = address.split(".").map(Number);
  return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}
