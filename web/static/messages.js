// The messages that a browser's seat reads and writes. What is in them stands in schema.js, which is made from
// protocol/proto/takeover/v1/takeover.proto.

import { decode, encode } from "./protobuf.js";
import * as schema from "./schema.js";

/**
 * The messages as they are read and written; which fields they have follows from the schema.
 * @typedef {Protobuf.Decoded<typeof schema.STATE_DATAGRAM>} StateDatagram
 * @typedef {Protobuf.Decoded<typeof schema.VEHICLE_EVENT>} VehicleEvent
 * @typedef {Protobuf.Decoded<typeof schema.AUTHORITY_STATE>} AuthorityState
 * @typedef {Protobuf.Decoded<typeof schema.PATH_QUESTION>} Question
 * @typedef {Protobuf.Decoded<typeof schema.HELP_REQUEST>} Help
 * @typedef {NonNullable<VehicleEvent["hello"]>} Hello
 * @typedef {NonNullable<Hello["robot"]>} Robot what a robot says of its embodiment
 * @typedef {NonNullable<VehicleEvent["response"]>} SeatResponse
 * @typedef {NonNullable<StateDatagram["surroundings"]>} Surroundings
 * @typedef {Protobuf.Decoded<typeof schema.LIDAR_SEGMENT>} LidarSegment
 * @typedef {Protobuf.Decoded<typeof schema.CLOCK_DIFFERENCE>} ClockDifference
 * @typedef {NonNullable<StateDatagram["wall_clock"]>} WallClock
 * @typedef {Protobuf.Encodable<typeof schema.SEAT_REPORT>} Report
 * @typedef {Protobuf.Encodable<typeof schema.OPERATOR_INPUT>} OperatorInput
 * @typedef {Protobuf.Encodable<typeof schema.COMMAND_DATAGRAM>} CommandDatagram
 * @typedef {Protobuf.Encodable<typeof schema.SEAT_REQUEST>} SeatRequest exactly one of its requests is set
 */

/** @param {Uint8Array} bytes */
export const readState = (bytes) => decode(schema.STATE_DATAGRAM, bytes);
/** @param {Uint8Array} bytes */
export const readEvent = (bytes) => decode(schema.VEHICLE_EVENT, bytes);
/** @param {CommandDatagram} command */
export const writeCommand = (command) => encode(schema.COMMAND_DATAGRAM, command);
/** @param {SeatRequest} request */
export const writeRequest = (request) => encode(schema.SEAT_REQUEST, request);
