import HTTPWire
import Testing

@testable import Proxy

@Suite struct FieldMaskTests {
    @Test func everyFieldHasABitOfItsOwn() {
        for index in [0, 1, 63, 64, 127, 128, 129, 191, 192, 255] {
            var mask = FieldMask()
            #expect(mask.isEmpty)
            mask.insert(index)
            #expect(!mask.isEmpty)
            for other in 0..<300 { #expect(mask.contains(other) == (other == index)) }
            mask.remove(index)
            #expect(mask == FieldMask() && mask.isEmpty && !mask.contains(index))
        }
        var all = FieldMask()
        for index in 0..<256 { all.insert(index) }
        #expect((0..<256).allSatisfy(all.contains) && !all.contains(256))
        #expect(all != FieldMask())
        for index in [5, 5, 200, 200] { all.remove(index) }
        #expect(!all.contains(5) && !all.contains(200) && all.contains(6) && all.contains(201))
    }

    @Test func aHeadHasNoMoreFieldsThanThereArePlaces() {
        #expect(RequestParser.Limits().fields == FieldMask.capacity)
    }

    @Test func whatIsNoPlaceIsNeverThere() {
        var mask = FieldMask()
        mask.insert(-1)
        mask.insert(FieldMask.capacity)
        mask.remove(-1)
        #expect(mask.isEmpty && !mask.contains(-1))
    }
}
