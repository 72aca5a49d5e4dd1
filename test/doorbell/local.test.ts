import { createLocalDoorbell } from "../../src/doorbell/local.ts";
import { doorbellContract } from "../contract/doorbell-contract.ts";

doorbellContract("in this process", createLocalDoorbell);
